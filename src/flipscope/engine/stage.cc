#include "flipscope/engine/stage.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "flipscope/engine/code_steps.h"
#include "flipscope/engine/program.h"
#include "flipscope/ops/convolution.h"
#include "flipscope/ops/dot.h"
#include "flipscope/ops/index.h"

namespace flipscope {
namespace {

/// How often a value is read, by nodes or as an output of the graph.
std::vector<int> count_readers(const Graph& graph) {
  std::vector<int> readers(graph.values.size(), 0);
  for (const Node& node : graph.nodes) {
    for (const Input& input : node.inputs) {
      if (input.kind == Input::Kind::value) ++readers[input.id];
    }
  }
  for (int output : graph.outputs) ++readers[output];
  return readers;
}

constexpr double kLargestSum = 2147483647;
/// Weights whose largest change the bound of a stage's sums allows for, if it can.
constexpr double kStruck = 64;

/// The lowest signed code of a weight, by the packing of what it meets.
double lowest_weight(Packing packing) {
  return -code_count(packing) / 2.0;
}

class StageFinder {
 public:
  explicit StageFinder(const Program& program)
      : program_(program), graph_(*program.graph), readers_(count_readers(graph_)) {
    reader_.resize(graph_.values.size(), -1);
    maker_.resize(graph_.values.size(), -1);
    meets_wide_weights_.resize(graph_.values.size(), false);
    for (std::size_t n = 0; n < graph_.nodes.size(); ++n) {
      maker_[graph_.nodes[n].output] = static_cast<int>(n);
      for (const Input& input : graph_.nodes[n].inputs) {
        if (input.kind == Input::Kind::value) reader_[input.id] = static_cast<int>(n);
      }
      find_wide_weights(graph_.nodes[n]);
    }
  }

  std::optional<Stage> at(int head) const {
    const Node& node = graph_.nodes[head];
    const Accumulation* sum = accumulation(node.op);
    if (!sum || sum->rescale.empty() || node.inputs[1].kind != Input::Kind::constant) return {};
    if (node.inputs[0].kind != Input::Kind::value) return {};
    if (node.inputs.size() > 2 && node.inputs[2].kind == Input::Kind::value) return {};
    Stage stage{.nodes = {head}, .head = head, .input = node.inputs[0].id, .rescale = sum->rescale};
    const bool laid_out =
        std::holds_alternative<Convolution>(node.op)
            ? lay_out_convolution(stage)
            : std::holds_alternative<MatrixProduct>(node.op) && lay_out_product(stage);
    if (!laid_out || !pack_weights(stage)) return {};
    stage.output = node.output;
    find_chain(stage);
    return stage;
  }

 private:
  void find_wide_weights(const Node& head) {
    if (!accumulation(head.op) || head.inputs[0].kind != Input::Kind::value) return;
    if (head.inputs[1].kind != Input::Kind::constant) return;
    const int weights = head.inputs[1].id;
    const double low = lowest_weight(Packing::bytes);
    const auto is_wide = [low](double weight) { return weight < low || weight >= -low; };
    // Where the format is wider than its codes, flips are what does not fit.
    const Encoding& encoding = graph_.stored[graph_.constants[weights].stored].encoding;
    if (encoding.format.bits <= bits_in_word(Packing::bytes) &&
        std::ranges::none_of(program_.wide[weights], is_wide)) {
      return;
    }
    const int value = head.inputs[0].id, made = maker_[value];
    meets_wide_weights_[value] = true;
    if (made < 0 || !std::holds_alternative<Rearrange>(graph_.nodes[made].op)) return;
    for (const Input& input : graph_.nodes[made].inputs) {
      if (input.kind == Input::Kind::value) meets_wide_weights_[input.id] = true;
    }
  }

  std::optional<PackedShape> shape_of(int value) const {
    return packed_shape(graph_.values[value], meets_wide_weights_[value]);
  }

  bool lay_out_convolution(Stage& stage) const {
    const Node& node = graph_.nodes[stage.head];
    const auto& op = std::get<Convolution>(node.op);
    const Input& x = node.inputs[0];
    const Shape& w = node.inputs[1].shape;
    const Shape& y = graph_.values[node.output].shape;
    if (x.shape[0] != 1 || x.shape != graph_.values[x.id].shape) return false;
    const auto in = shape_of(x.id);
    if (!in) return false;
    stage.in = *in;
    stage.channels = y[1];
    stage.plane = strides_of(y)[1];
    stage.kernel = strides_of(w)[1];
    stage.parts = op.groups;
    stage.reads = tap_positions(op, x.shape, w, y);
    return true;
  }

  /// A product of one row: a convolution whose kernel covers the input's whole plane. Its row may
  /// be a rearrangement of a value that nothing else reads in that order.
  bool lay_out_product(Stage& stage) const {
    const Node& node = graph_.nodes[stage.head];
    const Input& x = node.inputs[0];
    const Shape& w = node.inputs[1].shape;
    if (w.size() != 2 || element_count(x.shape) != w[0]) return false;
    if (node.inputs.size() > 2 && node.inputs[2].kind == Input::Kind::constant &&
        element_count(node.inputs[2].shape) != w[1]) {
      return false;
    }
    const int made = maker_[x.id];
    const auto* move = made < 0 ? nullptr : std::get_if<Rearrange>(&graph_.nodes[made].op);
    if (move && graph_.nodes[made].inputs.size() == 1 && readers_[x.id] == 1) {
      const Input& from = graph_.nodes[made].inputs[0];
      if (from.kind == Input::Kind::value &&
          move->source.size() == static_cast<std::size_t>(w[0])) {
        stage.input = from.id;
        stage.source = move->source;
        stage.nodes.insert(stage.nodes.begin(), made);
      }
    }
    if (stage.source.empty()) {
      for (std::int64_t i = 0; i < w[0]; ++i) stage.source.push_back(static_cast<std::int32_t>(i));
    }
    const auto in = shape_of(stage.input);
    if (!in) return false;
    std::vector<bool> used(in->channels * in->plane, false);
    for (std::int32_t source : stage.source) {
      if (source < 0 || used[source]) return false;
      used[source] = true;
    }
    stage.in = *in;
    stage.channels = w[1];
    stage.kernel = in->plane;
    for (std::int64_t k = 0; k < stage.kernel; ++k) {
      stage.reads.push_back(static_cast<std::int32_t>(k));
    }
    return true;
  }

  /// Weights, biases and patterns of taps; false where a weight has no place in a word.
  bool pack_weights(Stage& stage) const {
    const Node& node = graph_.nodes[stage.head];
    lay_out_bands(stage);
    bool negatable = stage.parts == 1;
    if (negatable) stage.opposed.assign(stage.rows * stage.in.channels * stage.kernel, 0);
    const std::vector<double>& w = program_.wide[node.inputs[1].id];
    const int in_word = stage.in.in_word(), bits = bits_in_word(stage.in.packing);
    const double low = lowest_weight(stage.in.packing);
    const auto at_slot = [bits](double code, std::int64_t slot) {
      const auto word = static_cast<std::uint32_t>(static_cast<std::int32_t>(code));
      return static_cast<std::int32_t>((word & ((std::uint32_t{1} << bits) - 1)) << (bits * slot));
    };
    for (std::size_t i = 0; i < w.size(); ++i) {
      if (w[i] != std::nearbyint(w[i]) || w[i] < low || w[i] >= -low) return false;
      const Stage::Place at = stage.place_of(static_cast<std::int64_t>(i));
      const Band& band = stage.band_of(at.row);
      const std::int64_t group = at.channel / in_word - band.group;
      stage.weights[stage.word_of(band, at.row, group * stage.kernel + at.tap)] |=
          at_slot(w[i], at.channel % in_word);
      negatable = negatable && w[i] > low;
      if (!negatable) continue;
      stage.opposed[((at.channel * stage.rows / kTile + at.row / kTile) * stage.kernel + at.tap) *
                        kTile +
                    at.row % kTile] = at_slot(w[i], 0) | at_slot(-w[i], 1);
    }
    if (!negatable) std::vector<std::int32_t>().swap(stage.opposed);
    find_patterns(stage);
    invert_reads(stage);
    std::vector<double> bias(stage.rows, 0.0);
    if (node.inputs.size() > 2 && node.inputs[2].kind == Input::Kind::constant) {
      const std::vector<double>& b = program_.wide[node.inputs[2].id];
      for (std::int64_t r = 0; r < stage.channels; ++r) {
        bias[r] = b[b.size() == 1 ? 0 : r];
        if (bias[r] != std::nearbyint(bias[r])) return false;
      }
    }
    const double most = largest_sum(stage, bias);
    if (most > kLargestSum) return false;
    const double struck = kStruck * stage.in.largest * code_count(stage.in.packing);
    const double bound = std::min(2 * most + struck, kLargestSum);
    stage.bound = static_cast<std::int64_t>(bound);
    stage.room = static_cast<std::int64_t>(bound - most);
    for (TapPattern& pattern : stage.patterns) {
      for (std::int64_t row = 0; row < stage.rows; ++row) {
        const Band& band = stage.band_of(row);
        std::int64_t sum = 0;
        for (std::int64_t k = 0; k < band.groups * pattern.taps; ++k) {
          const std::int32_t word = stage.weights[stage.word_of(band, row, pattern.kernel[k])];
          sum += sum_of_codes(stage.in.packing, word, [](std::int64_t code) { return code; });
        }
        pattern.start.push_back(static_cast<std::int32_t>(static_cast<std::int64_t>(bias[row]) -
                                                          stage.in.offset() * sum));
      }
    }
    return true;
  }

  /// Four rows at a time, joined to the ones before where they read the same words.
  static void lay_out_bands(Stage& stage) {
    stage.rows = (stage.channels + kTile - 1) / kTile * kTile;
    const int in_word = stage.in.in_word();
    const std::int64_t in = stage.in.channels / stage.parts, out = stage.channels / stage.parts;
    std::int64_t weights = 0;
    for (std::int64_t row = 0; row < stage.rows; row += kTile) {
      const std::int64_t last_row = std::min(row + kTile, stage.channels) - 1;
      const std::int64_t first = row / out * in / in_word;
      const std::int64_t last = ((last_row / out + 1) * in - 1) / in_word;
      Band band{.row = row, .rows = kTile, .group = first, .groups = last + 1 - first};
      band.weights = weights;
      weights += kTile * band.groups * stage.kernel;
      Band* before = stage.bands.empty() ? nullptr : &stage.bands.back();
      if (before && before->group == band.group && before->groups == band.groups) {
        before->rows += kTile;
      } else {
        stage.bands.push_back(band);
      }
    }
    stage.weights.assign(weights, 0);
  }

  void find_patterns(Stage& stage) const {
    std::map<std::vector<std::int32_t>, std::int32_t> known;
    for (std::int64_t p = 0; p < stage.plane; ++p) {
      std::vector<std::int32_t> places, taps;
      for (std::int64_t k = 0; k < stage.kernel; ++k) {
        const std::int32_t place = stage.reads[k * stage.plane + p];
        if (place < 0) continue;
        places.push_back(place);
        taps.push_back(static_cast<std::int32_t>(k));
      }
      const std::int32_t anchor = places.empty() ? 0 : places.front();
      std::vector<std::int32_t> key = taps;
      for (std::int32_t& place : places) key.push_back(place -= anchor);
      const auto [entry, is_new] =
          known.try_emplace(key, static_cast<std::int32_t>(stage.patterns.size()));
      if (is_new) stage.patterns.push_back(spread(stage, places, taps));
      stage.pattern.push_back(entry->second);
      stage.anchor.push_back(anchor);
    }
  }

  static void invert_reads(Stage& stage) {
    std::vector<std::vector<std::int32_t>> readers(stage.in.plane);
    for (std::size_t i = 0; i < stage.reads.size(); ++i) {
      const auto position = static_cast<std::int32_t>(static_cast<std::int64_t>(i) % stage.plane);
      if (stage.reads[i] >= 0) readers[stage.reads[i]].push_back(position);
    }
    for (const std::vector<std::int32_t>& own : readers) {
      stage.read_from.push_back(static_cast<std::int32_t>(stage.read_by.size()));
      stage.read_by.insert(stage.read_by.end(), own.begin(), own.end());
    }
    stage.read_from.push_back(static_cast<std::int32_t>(stage.read_by.size()));
  }

  static TapPattern spread(const Stage& stage, const std::vector<std::int32_t>& places,
                           const std::vector<std::int32_t>& taps) {
    TapPattern pattern{.taps = static_cast<std::int64_t>(taps.size())};
    std::int64_t groups = 0;
    for (const Band& band : stage.bands) groups = std::max(groups, band.groups);
    for (std::int64_t g = 0; g < groups; ++g) {
      for (std::size_t t = 0; t < taps.size(); ++t) {
        pattern.place.push_back(static_cast<std::int32_t>(g * stage.in.plane + places[t]));
        pattern.kernel.push_back(static_cast<std::int32_t>(g * stage.kernel + taps[t]));
      }
    }
    return pattern;
  }

  /// Σ f(code) over the signed codes of a word of weights.
  template <typename F>
  static std::int64_t sum_of_codes(Packing packing, std::int32_t word, F f) {
    std::int64_t sum = 0;
    for (int shift = 0; shift < 32; shift += bits_in_word(packing)) {
      const std::int32_t code = word >> shift;
      sum += f(std::int64_t{packing == Packing::bytes ? static_cast<std::int8_t>(code)
                                                      : static_cast<std::int16_t>(code)});
    }
    return sum;
  }

  /// The largest |sum|.
  static double largest_sum(const Stage& stage, const std::vector<double>& bias) {
    double most = 0;
    for (std::int64_t row = 0; row < stage.rows; ++row) {
      const Band& band = stage.band_of(row);
      std::int64_t weights = 0;
      for (std::int64_t k = 0; k < band.groups * stage.kernel; ++k) {
        const std::int32_t word = stage.weights[stage.word_of(band, row, k)];
        weights +=
            sum_of_codes(stage.in.packing, word, [](std::int64_t code) { return std::abs(code); });
      }
      most = std::max(most, std::abs(bias[row]) + static_cast<double>(weights) * stage.in.largest);
    }
    return most;
  }

  /// Follows the sums to the next codes, where every node on the way is a part of a chain that
  /// nothing else reads.
  void find_chain(Stage& stage) const {
    CodeChain chain{.rescale = stage.rescale, .channels = stage.channels};
    int value = stage.output;
    while (readers_[value] == 1 && reader_[value] >= 0) {
      const int next = reader_[value];
      if (!may_join_chain(graph_, graph_.nodes[next], value)) return;
      chain.nodes.push_back(next);
      value = graph_.nodes[next].output;
      if (!std::holds_alternative<Quantize>(graph_.nodes[next].op)) continue;
      const auto out = shape_of(value);
      if (!out || out->plane != stage.plane || out->channels != stage.channels) return;
      auto steps =
          fit_code_steps(program_, chain, stage.bound, out->zero, code_count(out->packing));
      if (!steps) return;
      stage.out = *out;
      stage.writes_codes = true;
      stage.last = std::move(steps->last);
      stage.steps = std::move(steps->steps);
      stage.steps.resize(stage.rows);
      stage.nodes.insert(stage.nodes.end(), chain.nodes.begin(), chain.nodes.end());
      stage.output = value;
      return;
    }
  }

  const Program& program_;
  const Graph& graph_;
  std::vector<int> readers_;
  std::vector<int> reader_;               ///< [value] the last node that reads it
  std::vector<int> maker_;                ///< [value]
  std::vector<bool> meets_wide_weights_;  ///< [value]
};

}  // namespace

Stage::Place Stage::place_of(std::int64_t element) const {
  if (source.empty()) {
    const std::int64_t own = in.channels / parts, row = element / (own * kernel);
    const std::int64_t first = row / (channels / parts) * own;
    return {row, first + element % (own * kernel) / kernel, element % kernel};
  }
  const std::int64_t from = source[element / channels];
  return {element % channels, from / in.plane, from % in.plane};
}

void Stage::write_numbers(std::int64_t row, const Range& positions, const std::int32_t* sums,
                          int lanes, float* numbers) const {
  const double scale = rescale[rescale.size() == 1 ? 0 : row];
  float* to = numbers + row * plane * lanes;
  for (std::int64_t i = positions.first * lanes; i < positions.last * lanes; ++i) {
    to[i] = static_cast<float>(static_cast<double>(sums[i]) * scale);
  }
}

const Band& Stage::band_of(std::int64_t row) const {
  return *std::prev(std::ranges::upper_bound(bands, row, {}, &Band::row));
}

Positions Stage::affected(const Positions& places) const {
  if (places.empty()) return {};
  Positions positions;
  for (std::int32_t place : places) {
    positions.insert(positions.end(), read_by.begin() + read_from[place],
                     read_by.begin() + read_from[place + 1]);
  }
  std::sort(positions.begin(), positions.end());
  positions.erase(std::unique(positions.begin(), positions.end()), positions.end());
  if (2 * std::ssize(positions) > plane) positions.clear();
  return positions;
}

std::vector<Stage> find_stages(const Program& program) {
  const StageFinder finder(program);
  std::vector<Stage> stages;
  for (std::size_t n = 0; n < program.graph->nodes.size(); ++n) {
    if (auto stage = finder.at(static_cast<int>(n))) stages.push_back(std::move(*stage));
  }
  return stages;
}

std::vector<std::optional<PackedShape>> packed_values(const Graph& graph,
                                                      const std::vector<Stage>& stages) {
  std::vector<std::optional<PackedShape>> packed(graph.values.size());
  for (const Stage& stage : stages) {
    packed[stage.input] = stage.in;
    if (stage.writes_codes) packed[stage.output] = stage.out;
  }
  return packed;
}

}  // namespace flipscope
