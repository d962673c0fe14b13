// Finds bottlenecks, and runs what follows them.
#include "flipscope/engine/bottleneck.h"

#include <algorithm>

#include "flipscope/engine/golden.h"

namespace flipscope {
namespace {

/// The nodes between `value` and the output, in order; nothing where a path to the output goes
/// round the value.
std::optional<std::vector<int>> tail_after(const Graph& graph, int value) {
  std::vector<bool> needed(graph.values.size(), false);
  needed[graph.outputs[0]] = true;
  std::vector<int> tail;
  for (int n = static_cast<int>(graph.nodes.size()) - 1; n >= 0; --n) {
    const Node& node = graph.nodes[n];
    if (!needed[node.output] || node.output == value) continue;
    tail.push_back(n);
    for (const Input& input : node.inputs) {
      if (input.kind == Input::Kind::value) needed[input.id] = true;
    }
  }
  for (const int input : graph.inputs) {
    if (needed[input]) return {};
  }
  std::ranges::reverse(tail);
  return tail;
}

double multiply_adds(const Graph& graph, const std::vector<int>& nodes) {
  double total = 0;
  for (const int n : nodes) total += multiply_adds(graph, n);
  return total;
}

std::int64_t bits_upstream(const Graph& graph, const Bottleneck& bottleneck,
                           std::span<const FaultTarget> targets) {
  std::int64_t bits = 0;
  for (const FaultTarget& target : targets) {
    if (!is_upstream(graph, bottleneck, target)) continue;
    bits += static_cast<std::int64_t>(target.size());
  }
  return bits;
}

}  // namespace

std::optional<Bottleneck> find_bottleneck(const Graph& graph, std::span<const FaultTarget> targets,
                                          const BottleneckLimits& limits) {
  std::optional<Bottleneck> best;
  std::int64_t most_bits = 0, narrowest = 0;
  for (const Node& node : graph.nodes) {
    const Value& value = graph.values[node.output];
    const std::int64_t width = element_count(value.shape);
    if (!value.holds_codes || width > limits.widest) continue;
    std::optional<std::vector<int>> tail = tail_after(graph, node.output);
    if (!tail || multiply_adds(graph, *tail) < limits.least_work) continue;
    const Bottleneck here{node.output, std::move(*tail)};
    const std::int64_t bits = bits_upstream(graph, here, targets);
    if (bits < most_bits || bits == 0 || (bits == most_bits && width >= narrowest)) continue;
    most_bits = bits;
    narrowest = width;
    best = here;
  }
  return best;
}

bool is_upstream(const Graph& graph, const Bottleneck& bottleneck, const FaultTarget& target) {
  return std::ranges::none_of(bottleneck.tail, [&](int n) {
    const Node& node = graph.nodes[n];
    if (target.part == Part::operands) return n == target.id;
    if (target.part == Part::activations) return node.output == target.id;
    return std::ranges::any_of(node.inputs, [&](const Input& input) {
      return input.kind == Input::Kind::constant && target.part != Part::inputs &&
             graph.constants[input.id].stored == target.id;
    });
  });
}

Tail::Tail(const Program& program, const Bottleneck& bottleneck)
    : program_(&program),
      bottleneck_(&bottleneck),
      values_(program.graph->values.size()),
      at_(values_.size(), nullptr) {}

const float* Tail::operator()(const float* codes, int lanes) {
  const Graph& graph = *program_->graph;
  at_[bottleneck_->value] = codes;
  for (const int n : bottleneck_->tail) {
    const Node& node = graph.nodes[n];
    const Shape& shape = graph.values[node.output].shape;
    AlignedVector<float>& out = values_[node.output];
    out.resize(element_count(shape) * lanes);
    forward<float>(node.op, views_of(*program_, node, at_), shape, out.data(), lanes);
    at_[node.output] = out.data();
  }
  return at_[graph.outputs[0]];
}

}  // namespace flipscope
