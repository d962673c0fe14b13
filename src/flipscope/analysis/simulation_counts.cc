#include "flipscope/analysis/simulation_counts.h"

#include "flipscope/fault/statistical.h"

namespace flipscope {
namespace {

constexpr double kShare = 0.5;

int word_bits(const Graph& graph, const AnalysedLayer& layer) {
  const Node& node = graph.nodes[layer.node];
  if (layer.kind != FaultKind::filters) return graph.values[data_value(node)].encoding.format.bits;
  return graph.stored[graph.constants[weight_constant(node)].stored].encoding.format.bits;
}

}  // namespace

SimulationCounts simulation_counts(const Graph& graph, const std::vector<LayerSample>& layers,
                                   FaultKind kind) {
  SimulationCounts counts;
  double by_layer = 0, by_bit = 0;
  for (const LayerSample& sample : layers) {
    if (sample.layer.kind != kind) continue;
    const std::uint64_t faults = sample.layer.faults;
    const int bits = word_bits(graph, sample.layer);
    counts.exhaustive += faults;
    by_layer += sample_size(faults, kShare, {});
    by_bit += bits * sample_size(faults / static_cast<std::uint64_t>(bits), kShare, {});
  }
  counts.by_layer = static_cast<std::uint64_t>(by_layer);
  counts.by_bit = static_cast<std::uint64_t>(by_bit);
  return counts;
}

}  // namespace flipscope
