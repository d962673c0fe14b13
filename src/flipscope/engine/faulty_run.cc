#include "flipscope/engine/faulty_run.h"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <map>

#include "flipscope/engine/strike.h"
#include "flipscope/ops/convolution.h"
#include "flipscope/ops/matrix_product.h"

namespace flipscope {
namespace {

/// Channels [first, last) of a node's output that a struck constant reaches, if that can be said.
struct Channels {
  std::int64_t first = 0;
  std::int64_t last = 0;
};

/// The output channels that read element `i` of the constant at `position` of an affine node's
/// inputs, or all of them.
Channels channels_reading(const Node& node, const Shape& out, std::size_t position,
                          std::int64_t i) {
  const Shape& shape = node.inputs[position].shape;
  if (const auto* op = std::get_if<Convolution>(&node.op); op && position > 0) {
    const std::int64_t c = position == 2 ? i : i / strides_of(shape)[0];
    return {c, c + 1};
  }
  if (const auto* op = std::get_if<TransposedConvolution>(&node.op); op && position > 0) {
    if (position == 2) return {i, i + 1};
    const Shape strides = strides_of(shape);
    const std::int64_t group = i / strides[0] / (shape[0] / op->groups);
    const std::int64_t c = group * shape[1] + i / strides[1] % shape[1];
    return {c, c + 1};
  }
  if (std::holds_alternative<MatrixProduct>(node.op) && position > 0 && shape.size() > 1 &&
      shape.back() == out.back()) {
    const std::int64_t c = i % shape.back();
    return {c, c + 1};
  }
  return {0, -1};
}

void forward_some(const Op& op, std::span<const View<float>> inputs, const Shape& shape, float* out,
                  int lanes, const Channels& channels) {
  if (const auto* conv = std::get_if<Convolution>(&op)) {
    forward_channels<float>(*conv, inputs, shape, out, lanes, channels.first, channels.last);
  } else if (const auto* transposed = std::get_if<TransposedConvolution>(&op)) {
    forward_channels<float>(*transposed, inputs, shape, out, lanes, channels.first, channels.last);
  } else {
    forward_channels<float>(std::get<MatrixProduct>(op), inputs, shape, out, lanes, channels.first,
                            channels.last);
  }
}

bool same_bits(const AlignedVector<float>& golden, const float* faulty) {
  return std::memcmp(golden.data(), faulty, golden.size() * sizeof(float)) == 0;
}

}  // namespace

struct FaultyRun::State {
  /// Element `element` of a constant before the fault.
  struct Patched {
    int constant;
    std::int64_t element;
    float value;
    double wide;
  };

  State(const Program& golden_program, const FaultSpace& fault_space)
      : program(golden_program), space(fault_space) {
    scratch.resize(program.graph->values.size());
  }

  const float* run(const Block& golden, const Fault& fault);
  void sort_sites(const Fault& fault);
  void patch(const Fault& fault);
  void undo();
  void strike_values(const Block& golden, const Fault& fault, int value);
  void strike_operands(const Block& golden, const Fault& fault, int node);
  float* own_copy(const Block& golden, int value);
  /// Elements of `constant` that read each word of its stored tensor, made when first needed.
  const std::vector<std::vector<std::int32_t>>& readers(int constant);

  Program program;  ///< with its own constants, which a fault patches
  const FaultSpace& space;
  std::vector<AlignedVector<float>> scratch;  ///< [value]
  std::vector<const float*> at;               ///< [value]: golden or scratch
  std::vector<bool> changed;                  ///< [value]
  std::vector<Patched> patched;
  std::map<int, std::vector<FaultSite>> stored_sites, value_sites, operand_sites;
  std::map<int, std::vector<std::vector<std::int32_t>>> readers_;
};

FaultyRun::FaultyRun(const Program& program, const FaultSpace& space)
    : state_(std::make_unique<State>(program, space)) {}
FaultyRun::~FaultyRun() = default;
FaultyRun::FaultyRun(FaultyRun&&) noexcept = default;

const float* FaultyRun::operator()(const Block& golden, const Fault& fault) {
  return state_->run(golden, fault);
}

const std::vector<std::vector<std::int32_t>>& FaultyRun::State::readers(int constant) {
  auto [entry, is_new] = readers_.try_emplace(constant);
  if (is_new) {
    const Constant& reads = program.graph->constants[constant];
    entry->second.resize(program.graph->stored[reads.stored].words.size());
    for (std::size_t i = 0; i < reads.source.size(); ++i) {
      entry->second[reads.source[i]].push_back(static_cast<std::int32_t>(i));
    }
  }
  return entry->second;
}

void FaultyRun::State::sort_sites(const Fault& fault) {
  stored_sites.clear();
  value_sites.clear();
  operand_sites.clear();
  for (const FaultSite& site : fault.sites) {
    const FaultTarget& target = space.targets()[site.target];
    switch (target.part) {
      case Part::activations:
      case Part::inputs:
        value_sites[target.id].push_back(site);
        break;
      case Part::operands:
        operand_sites[target.id].push_back(site);
        break;
      default:
        stored_sites[target.id].push_back(site);
        break;
    }
  }
}

void FaultyRun::State::patch(const Fault& fault) {
  const Graph& graph = *program.graph;
  for (const auto& [stored, sites] : stored_sites) {
    std::map<std::int64_t, Word> words;
    for (const FaultSite& site : sites) {
      Word& word =
          words.try_emplace(site.index, graph.stored[stored].words[site.index]).first->second;
      word = strike(fault.effect, word, site.bit);
    }
    for (int constant : program.readers_of_stored[stored]) {
      const Constant& reads = graph.constants[constant];
      for (const auto& [index, word] : words) {
        const auto set = [&](std::int64_t element) {
          const double value = read_element(graph, reads, element, word);
          float& narrow = program.constants[constant][element];
          double& wide = program.wide[constant][element];
          patched.push_back({constant, element, narrow, wide});
          narrow = static_cast<float>(value);
          wide = value;
        };
        if (reads.source.empty()) {
          set(index);
        } else {
          for (std::int32_t element : readers(constant)[index]) set(element);
        }
      }
    }
  }
}

void FaultyRun::State::undo() {
  for (auto change = patched.rbegin(); change != patched.rend(); ++change) {
    program.constants[change->constant][change->element] = change->value;
    program.wide[change->constant][change->element] = change->wide;
  }
  patched.clear();
}

float* FaultyRun::State::own_copy(const Block& golden, int value) {
  AlignedVector<float>& own = scratch[value];
  if (at[value] != own.data() || own.empty()) {
    own.resize(golden.values[value].size());
    std::copy_n(at[value], own.size(), own.data());
    at[value] = own.data();
  }
  return own.data();
}

void FaultyRun::State::strike_values(const Block& golden, const Fault& fault, int value) {
  const auto found = value_sites.find(value);
  if (found == value_sites.end()) return;
  float* own = own_copy(golden, value);
  const Value& what = program.graph->values[value];
  for (const FaultSite& site : found->second) {
    const std::size_t channel = what.encoding.channel(site.index, what.shape);
    float* lanes = own + site.index * golden.lanes;
    for (int lane = 0; lane < golden.lanes; ++lane) {
      lanes[lane] = strike_value(fault.effect, what.encoding, channel, lanes[lane], site.bit);
    }
  }
  changed[value] = !same_bits(golden.values[value], own);
}

void FaultyRun::State::strike_operands(const Block& golden, const Fault& fault, int index) {
  const auto found = operand_sites.find(index);
  if (found == operand_sites.end()) return;
  const Graph& graph = *program.graph;
  const Node& node = graph.nodes[index];
  const int data = data_operand(node);
  const int source = node.inputs[data].id;
  const Value& x = graph.values[source];
  const Shape& out_shape = graph.values[node.output].shape;
  float* out = own_copy(golden, node.output);

  // Reads of one output element are struck together.
  std::map<std::int64_t, std::vector<std::pair<OperandRead, int>>> reads;
  for (const FaultSite& site : found->second) {
    const OperandRead read = operand_read(graph, index, site.index);
    reads[read.output].push_back({read, site.bit});
  }
  AlignedVector<float> inputs(at[source], at[source] + golden.values[source].size());
  AlignedVector<float> all(golden.values[node.output].size());
  for (const auto& [output, struck] : reads) {
    AlignedVector<float> before = inputs;
    for (const auto& [read, bit] : struck) {
      const std::size_t channel = x.encoding.channel(read.input, x.shape);
      float* lanes = inputs.data() + read.input * golden.lanes;
      for (int lane = 0; lane < golden.lanes; ++lane) {
        lanes[lane] = strike_value(fault.effect, x.encoding, channel, lanes[lane], bit);
      }
    }
    std::vector<View<float>> views = views_of(program, node, at);
    views[data].data = inputs.data();
    const bool product = std::holds_alternative<MatrixProduct>(node.op);
    const std::int64_t plane = product ? 1 : strides_of(out_shape)[1];
    const std::int64_t channels = product ? out_shape.back() : out_shape[1];
    const std::int64_t channel = output / plane % channels;
    forward_some(node.op, views, out_shape, all.data(), golden.lanes, {channel, channel + 1});
    std::copy_n(all.data() + output * golden.lanes, golden.lanes, out + output * golden.lanes);
    inputs = std::move(before);
  }
  changed[node.output] = !same_bits(golden.values[node.output], out);
}

const float* FaultyRun::State::run(const Block& golden, const Fault& fault) {
  const Graph& graph = *program.graph;
  sort_sites(fault);
  patch(fault);
  at.resize(graph.values.size());
  for (std::size_t v = 0; v < at.size(); ++v) at[v] = golden.values[v].data();
  changed.assign(graph.values.size(), false);
  for (int input : graph.inputs) strike_values(golden, fault, input);

  // For every node that reads struck constants, the channels that do.
  std::map<int, Channels> struck;
  for (const Patched& change : patched) {
    for (int reader : program.readers_of_constant[change.constant]) {
      const Node& node = graph.nodes[reader];
      for (std::size_t k = 0; k < node.inputs.size(); ++k) {
        const Input& input = node.inputs[k];
        if (input.kind != Input::Kind::constant || input.id != change.constant) continue;
        const Channels more =
            channels_reading(node, graph.values[node.output].shape, k, change.element);
        auto [entry, is_new] = struck.try_emplace(reader, more);
        Channels& all = entry->second;
        if (is_new) continue;
        if (all.last < 0 || more.last < 0) {
          all = {0, -1};
        } else {
          all = {std::min(all.first, more.first), std::max(all.last, more.last)};
        }
      }
    }
  }

  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    const Node& node = graph.nodes[n];
    const int index = static_cast<int>(n);
    const bool inputs_changed = std::any_of(
        node.inputs.begin(), node.inputs.end(),
        [&](const Input& input) { return input.kind == Input::Kind::value && changed[input.id]; });
    const auto own = struck.find(index);
    if (inputs_changed || own != struck.end()) {
      const AlignedVector<float>& before = golden.values[node.output];
      AlignedVector<float>& out = scratch[node.output];
      out.resize(before.size());
      const Shape& shape = graph.values[node.output].shape;
      const std::vector<View<float>> views = views_of(program, node, at);
      if (inputs_changed || own->second.last < 0) {
        forward<float>(node.op, views, shape, out.data(), golden.lanes);
      } else {
        std::copy(before.begin(), before.end(), out.begin());
        forward_some(node.op, views, shape, out.data(), golden.lanes, own->second);
      }
      at[node.output] = out.data();
      changed[node.output] = !same_bits(before, out.data());
    }
    strike_operands(golden, fault, index);
    strike_values(golden, fault, node.output);
    if (!changed[node.output]) at[node.output] = golden.values[node.output].data();
  }
  undo();
  return at[graph.outputs[0]];
}

}  // namespace flipscope
