#include "flipscope/analysis/simulation_counts.h"

#include "flipscope/fault/statistical.h"

namespace flipscope {
namespace {

constexpr double kShare = 0.5;

/// Faults of a layer by bit position.
std::vector<std::uint64_t> positions_of(const Graph& graph, const AnalysedLayer& layer) {
  const Node& node = graph.nodes[layer.node];
  const Encoding* encoding = &graph.values[data_value(node)].encoding;
  if (layer.kind == FaultKind::filters) {
    const Constant& constant = graph.constants[weight_constant(node)];
    encoding = &graph.stored[constant.stored].encoding;
    if (!encoding->elements.empty()) {
      std::vector<std::uint64_t> positions(static_cast<std::size_t>(encoding->format.bits), 0);
      for (std::int64_t i = 0; i < layer.weights; ++i) {
        const std::int64_t at = constant.source.empty() ? i : constant.source[i];
        const int width = at < 0 ? 0 : encoding->width(at);
        for (int bit = 0; bit < width; ++bit) ++positions[bit];
      }
      return positions;
    }
  }
  const auto bits = static_cast<std::size_t>(encoding->format.bits);
  return std::vector<std::uint64_t>(bits, layer.faults / bits);
}

}  // namespace

SimulationCounts simulation_counts(const Graph& graph, const std::vector<LayerSample>& layers,
                                   FaultKind kind) {
  SimulationCounts counts;
  double by_layer = 0, by_bit = 0;
  for (const LayerSample& sample : layers) {
    if (sample.layer.kind != kind) continue;
    const std::uint64_t faults = sample.layer.faults;
    counts.exhaustive += faults;
    by_layer += sample_size(faults, kShare, {});
    double own = 0;
    for (const std::uint64_t population : positions_of(graph, sample.layer)) {
      if (population > 0) own += sample_size(population, kShare, {});
    }
    by_bit += own;
  }
  counts.by_layer = static_cast<std::uint64_t>(by_layer);
  counts.by_bit = static_cast<std::uint64_t>(by_bit);
  return counts;
}

}  // namespace flipscope
