#include "flipscope/analysis/fault_target.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <map>
#include <numeric>

#include "flipscope/fault/fault_space.h"
#include "flipscope/model/text.h"
#include "flipscope/numeric/error.h"
#include "flipscope/ops/convolution_geometry.h"

namespace flipscope {
namespace {

constexpr Word kFraction = 0x7fffff;  ///< of a float32

bool is_convolution(const Node& node) {
  return std::holds_alternative<Convolution>(node.op) ||
         std::holds_alternative<TransposedConvolution>(node.op);
}

/// A matrix product as rows × inner times inner × columns.
struct ProductShape {
  std::int64_t rows = 1, inner = 1, columns = 1;
};

ProductShape product_shape(const Node& node) {
  const Shape& a = node.inputs[0].shape;
  const Shape& b = node.inputs[1].shape;
  ProductShape shape;
  shape.inner = a.back();
  shape.rows = element_count(a) / shape.inner;
  shape.columns = b.size() == 1 ? 1 : b.back();
  return shape;
}

bool is_plain(const Node& node) {
  if (is_convolution(node)) return node.inputs[0].shape[0] == 1;
  const int data = data_operand(node);
  const Shape& constant = node.inputs[1 - data].shape;
  return constant.size() <= 2 && (data == 0 || node.inputs[1].shape.size() <= 2);
}

/// Bits that the elements of a constant are stored in.
std::uint64_t bits_of(const Graph& graph, const Constant& constant) {
  const Encoding& encoding = graph.stored[constant.stored].encoding;
  const std::int64_t elements = element_count(constant.shape);
  std::uint64_t bits = 0;
  for (std::int64_t i = 0; i < elements; ++i) {
    const std::int64_t at = constant.source.empty() ? i : constant.source[i];
    if (at >= 0) bits += encoding.width(at);
  }
  return bits;
}

/// Output channels, and how outputs lie in them: [outer][channel][inner].
struct ChannelLayout {
  std::int64_t channels = 1, inner = 1, outer = 1;
};

ChannelLayout layout_of(const Graph& graph, const AnalysedLayer& layer) {
  const Node& node = graph.nodes[layer.node];
  if (is_convolution(node)) {
    const Shape& shape =
        layer.kind == FaultKind::stored ? node.inputs[0].shape : graph.values[node.output].shape;
    return {shape[1], strides_of(shape)[1], 1};
  }
  const ProductShape product = product_shape(node);
  const bool data_first = data_operand(node) == 0;
  if (layer.kind == FaultKind::stored) {
    return data_first ? ChannelLayout{product.inner, 1, product.rows}
                      : ChannelLayout{product.inner, product.columns, 1};
  }
  return data_first ? ChannelLayout{product.columns, 1, product.rows}
                    : ChannelLayout{product.rows, product.columns, 1};
}

template <typename Op>
std::vector<Term> convolution_terms(const Op& op, const Shape& x, const Shape& w, const Shape& y,
                                    std::int64_t output) {
  const Geometry g = geometry(op, x, w, y);
  const std::int64_t channel = output / g.out_plane % g.out_channels;
  const std::int64_t group = channel / g.out_per_group;
  const std::int64_t row = group * g.group_step + channel % g.out_per_group * g.row_step;
  std::vector<SpatialTap> taps;
  spatial_taps(op, x, w, coordinates(output % g.out_plane, y), taps);
  std::vector<Term> terms;
  terms.reserve(taps.size() * g.in_per_group);
  for (std::int64_t c = 0; c < g.in_per_group; ++c) {
    const std::int64_t plane = (group * g.in_per_group + c) * g.in_plane;
    for (const SpatialTap& tap : taps) {
      terms.push_back({static_cast<std::int32_t>(plane + tap.plane),
                       static_cast<std::int32_t>(row + c * g.channel_step + tap.kernel)});
    }
  }
  return terms;
}

/// Sums of codes are scaled by columns of the output.
double rescale_of(const Node& node, std::int64_t channel) {
  return std::visit(
      [&](const auto& op) {
        if constexpr (requires { op.accumulation; }) {
          const std::vector<double>& rescale = op.accumulation.rescale;
          if (rescale.empty()) return 1.0;
          return rescale[rescale.size() > 1 && data_operand(node) == 0 ? channel : 0];
        }
        return 1.0;
      },
      node.op);
}

}  // namespace

const char* to_string(FaultKind kind) {
  switch (kind) {
    case FaultKind::operands:
      break;
    case FaultKind::stored:
      return "activations";
    case FaultKind::filters:
      return "filters";
  }
  return "operands";
}

int data_value(const Node& node) {
  return node.inputs[data_operand(node)].id;
}

int weight_constant(const Node& node) {
  return node.inputs[1 - data_operand(node)].id;
}

std::vector<Term> terms_of(const Graph& graph, int n, std::int64_t output) {
  const Node& node = graph.nodes[n];
  const Shape& y = graph.values[node.output].shape;
  const Shape& x = node.inputs[0].shape;
  const Shape& w = node.inputs[1].shape;
  if (const auto* op = std::get_if<Convolution>(&node.op)) {
    return convolution_terms(*op, x, w, y, output);
  }
  if (const auto* op = std::get_if<TransposedConvolution>(&node.op)) {
    return convolution_terms(*op, x, w, y, output);
  }
  const ProductShape shape = product_shape(node);
  const std::int64_t row = output / shape.columns, column = output % shape.columns;
  const bool data_first = data_operand(node) == 0;
  std::vector<Term> terms;
  for (std::int64_t k = 0; k < shape.inner; ++k) {
    const auto first = static_cast<std::int32_t>(row * shape.inner + k);
    const auto second = static_cast<std::int32_t>(k * shape.columns + column);
    terms.push_back(data_first ? Term{first, second} : Term{second, first});
  }
  return terms;
}

std::vector<AnalysedLayer> analysed_layers(const Graph& graph, FaultKind kind,
                                           const std::vector<std::string>& globs,
                                           std::vector<std::string>* left_out) {
  std::vector<AnalysedLayer> layers;
  std::string names;
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    const Node& node = graph.nodes[n];
    if (!is_weighted(node) || node.inputs[data_operand(node)].kind != Input::Kind::value) continue;
    names += (names.empty() ? "" : ", ") + node.layer;
    if (!matches_any(node.layer, globs)) continue;
    if (!is_plain(node)) {
      if (left_out) left_out->push_back(node.layer);
      continue;
    }
    AnalysedLayer layer{.name = node.layer, .kind = kind, .node = static_cast<int>(n)};
    layer.value = kind == FaultKind::stored ? data_value(node) : node.output;
    layer.outputs = element_count(graph.values[node.output].shape);
    const Constant& constant = graph.constants[weight_constant(node)];
    layer.weights = element_count(constant.shape);
    const Value& read = graph.values[data_value(node)];
    const auto word_bits = static_cast<std::uint64_t>(read.encoding.format.bits);
    if (kind == FaultKind::filters) {
      layer.faults = bits_of(graph, constant);
    } else if (kind == FaultKind::stored) {
      layer.faults = static_cast<std::uint64_t>(element_count(read.shape)) * word_bits;
    } else {
      layer.faults =
          static_cast<std::uint64_t>(operand_count(graph, static_cast<int>(n))) * word_bits;
    }
    const ChannelLayout layout = layout_of(graph, layer);
    layer.channels = layout.channels;
    layer.elements = layout.outer * layout.inner;
    layers.push_back(std::move(layer));
  }
  if (layers.empty()) {
    fail("vulnerability", "no layer of '{}' can be analysed; its weighted layers are: {}",
         graph.name, names.empty() ? "none" : names);
  }
  return layers;
}

std::int64_t element_of(const Graph& graph, const AnalysedLayer& layer, std::int64_t channel,
                        std::int64_t k) {
  const ChannelLayout layout = layout_of(graph, layer);
  return (k / layout.inner * layout.channels + channel) * layout.inner + k % layout.inner;
}

Ranges channel_elements(const Graph& graph, const AnalysedLayer& layer, std::int64_t channel) {
  const ChannelLayout layout = layout_of(graph, layer);
  Ranges elements;
  for (std::int64_t o = 0; o < layout.outer; ++o) {
    const std::int64_t first = (o * layout.channels + channel) * layout.inner;
    append(elements, {first, first + layout.inner});
  }
  return elements;
}

std::vector<FilterWeight> filter_weights(const Graph& graph, const AnalysedLayer& layer,
                                         std::int64_t channel) {
  const Constant& constant = graph.constants[weight_constant(graph.nodes[layer.node])];
  std::vector<FilterWeight> weights;
  std::map<std::int32_t, std::size_t> known;
  for (const Range& range : channel_elements(graph, layer, channel)) {
    for (std::int64_t output = range.first; output < range.last; ++output) {
      for (const Term& term : terms_of(graph, layer.node, output)) {
        const std::int64_t word =
            constant.source.empty() ? term.weight : constant.source[term.weight];
        if (word < 0) continue;
        const auto [at, is_new] = known.try_emplace(term.weight, weights.size());
        if (is_new) {
          weights.push_back({term.weight, word, {}});
        }
        weights[at->second].inputs.push_back(term.input);
      }
    }
  }
  return weights;
}

bool strikes_one_channel(const Program& program, const AnalysedLayer& layer) {
  const Graph& graph = *program.graph;
  const Constant& constant = graph.constants[weight_constant(graph.nodes[layer.node])];
  const std::vector<int>& readers = program.readers_of_stored[constant.stored];
  if (readers.size() != 1 || program.readers_of_constant[readers[0]].size() != 1) return false;
  std::vector<std::int32_t> source = constant.source;
  std::erase_if(source, [](std::int32_t at) { return at < 0; });
  std::ranges::sort(source);
  return std::ranges::adjacent_find(source) == source.end();
}

double weight_change(const Graph& graph, const AnalysedLayer& layer, std::int64_t channel,
                     const FilterWeight& weight, Word mask) {
  const Node& node = graph.nodes[layer.node];
  const Constant& constant = graph.constants[weight_constant(node)];
  const Word word = graph.stored[constant.stored].words[weight.word];
  return (read_element(graph, constant, weight.element, word ^ mask) -
          read_element(graph, constant, weight.element, word)) *
         rescale_of(node, channel);
}

std::vector<double> typical_inputs(const float* x, int lanes, const FilterWeight& weight,
                                   std::int64_t places) {
  std::vector<double> sums(lanes, 0.0), sizes(lanes, 0.0);
  for (const std::int32_t input : weight.inputs) {
    const float* row = x + std::int64_t{input} * lanes;
    for (int lane = 0; lane < lanes; ++lane) {
      const double value = row[lane];
      sums[lane] += value;
      sizes[lane] += value * value;
    }
  }
  for (int lane = 0; lane < lanes; ++lane) {
    const double size = std::sqrt(sizes[lane] / static_cast<double>(places));
    sizes[lane] = sums[lane] < 0 ? -size : size;
  }
  return sizes;
}

TargetMaps::TargetMaps(const Program& program, const AnalysedLayer& layer,
                       const FaultTargetPlace& place, const MapOptions& options)
    : program_(&program), layer_(layer), place_(place), filters_(options.filters) {
  const Graph& graph = *program.graph;
  const Node& node = graph.nodes[layer.node];
  source_ = data_value(node);
  if (layer.kind != FaultKind::filters) {
    const Encoding& encoding = graph.values[source_].encoding;
    for (const Word mask : flip_masks(encoding.masks(0), options.flips)) {
      const bool in_fraction = encoding.format.kind == NumberFormat::Kind::float32 &&
                               std::has_single_bit(mask) && mask <= kFraction;
      (in_fraction ? fraction_masks_ : masks_).push_back(mask);
    }
    std::ranges::sort(fraction_masks_, std::greater<>());
    if (layer.kind == FaultKind::operands) {
      terms_ = terms_of(graph, layer.node, place.element);
      rescale_ = rescale_of(node, place.channel);
    }
    return;
  }
  const StoredTensor& stored = graph.stored[graph.constants[weight_constant(node)].stored];
  const bool alike = stored.encoding.elements.empty();
  std::vector<Word> masks = flip_masks(stored.encoding.masks(0), options.flips);
  weights_ = filter_weights(graph, layer, place.channel);
  std::vector<double> changes;
  for (const FilterWeight& weight : weights_) {
    changes.clear();
    if (!alike) masks = flip_masks(stored.encoding.masks(weight.word), options.flips);
    for (const Word mask : masks) {
      changes.push_back(weight_change(graph, layer, place.channel, weight, mask));
    }
    changes_.emplace_back(changes);
  }
}

void TargetMaps::add_float_changes(float x, double factor, ErrorMap& map) const {
  const auto word = std::bit_cast<std::uint32_t>(x);
  const auto add = [&](Word mask) {
    map.add((double{std::bit_cast<float>(word ^ static_cast<std::uint32_t>(mask))} - double{x}) *
            factor);
  };
  std::ranges::for_each(masks_, add);
  if (!std::isfinite(x) || !std::isfinite(factor)) {
    std::ranges::for_each(fraction_masks_, add);
    return;
  }
  map.total += std::ssize(fraction_masks_);
  const int exponent = std::max(1, static_cast<int>(word >> 23 & 0xff));
  const int last_bit = exponent - 150 + binade_of(factor);  // log2 of its |δ|, rounded down
  const int grows = std::signbit(x) != std::signbit(factor) ? 1 : 0;
  for (const Word mask : fraction_masks_) {
    const int binade = last_bit + std::countr_zero(mask);
    if (binade < kLeastExponent) return;
    map.add_binade((word & mask) == 0 ? grows : 1 - grows, binade, 1);
  }
}

void TargetMaps::add_changes(const Block& golden, int lane, std::int64_t input, double factor,
                             ErrorMap& map) const {
  const Value& value = program_->graph->values[source_];
  const float x = golden.values[source_][input * golden.lanes + lane];
  if (value.encoding.format.kind == NumberFormat::Kind::float32) {
    add_float_changes(x, factor, map);
    return;
  }
  if (std::isnan(x)) {  // A code that is no number has no word: nothing flips.
    map.total += std::ssize(masks_);
    return;
  }
  const bool is_float = value.encoding.is_float();
  const std::size_t channel = value.encoding.channel(input, value.shape);
  const double zero = is_float ? 0.0 : value.encoding.zero_point_of(channel);
  const NumberFormat& format = value.encoding.format;
  const Word word = encode(format, is_float ? x : x + zero);  // −0 + 0 is another word than −0
  for (const Word mask : masks_) map.add((decode(format, word ^ mask) - zero - x) * factor);
}

ErrorMap TargetMaps::operator()(const Block& golden, int lane) {
  ErrorMap map;
  if (layer_.kind == FaultKind::stored) {
    add_changes(golden, lane, place_.element, 1.0, map);
    return map;
  }
  if (layer_.kind == FaultKind::operands) {
    const std::vector<double>& w =
        program_->wide[weight_constant(program_->graph->nodes[layer_.node])];
    for (const Term& term : terms_) {
      add_changes(golden, lane, term.input, w[term.weight] * rescale_, map);
    }
    return map;
  }
  const float* x = golden.values[source_].data();
  if (filters_ == FilterErrors::by_fault && typical_of_ != golden.serial) {
    typical_of_ = golden.serial;
    typical_.clear();
    for (const FilterWeight& weight : weights_) {
      typical_.push_back(typical_inputs(x, golden.lanes, weight, layer_.elements));
    }
  }
  for (std::size_t w = 0; w < weights_.size(); ++w) {
    counter_.begin(changes_[w]);
    if (filters_ == FilterErrors::by_fault) {
      counter_.count(typical_[w][lane]);
    } else {
      for (const std::int32_t input : weights_[w].inputs) {
        counter_.count(x[std::int64_t{input} * golden.lanes + lane]);
      }
    }
    counter_.finish(map);
  }
  return map;
}

}  // namespace flipscope
