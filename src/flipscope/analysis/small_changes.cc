#include "flipscope/analysis/small_changes.h"

#include <algorithm>
#include <cmath>

namespace flipscope {

SmallChanges::SmallChanges(const Graph& graph, const DecisionBound& bound, const Block& golden,
                           const AnalysedLayer& layer, std::int64_t channel)
    : graph_(&graph), layer_(layer), channel_(channel) {
  for (int s = 0; s < golden.samples; ++s) radii_.push_back(bound.radius(layer.node, channel, s));
  if (std::ranges::count(radii_, 0.0) == std::ssize(radii_)) return;
  const float* x = golden.values[data_value(graph.nodes[layer.node])].data();
  for (FilterWeight& weight : filter_weights(graph, layer, channel)) {
    std::vector<double> norms(golden.samples, 0.0);
    for (const std::int32_t input : weight.inputs) {
      for (int s = 0; s < golden.samples; ++s) {
        const double one = x[std::int64_t{input} * golden.lanes + s];
        norms[s] += one * one;
      }
    }
    for (double& norm : norms) norm = std::sqrt(norm);
    const std::int64_t word = weight.word;
    weights_.emplace(word, Weight{std::move(weight), std::move(norms)});
  }
}

void SmallChanges::operator()(std::int64_t word, Word mask, std::vector<bool>& proved) const {
  proved.assign(radii_.size(), false);
  const auto at = weights_.find(word);
  if (at == weights_.end()) return;
  const double change =
      std::fabs(weight_change(*graph_, layer_, channel_, at->second.weight, mask));
  for (std::size_t s = 0; s < radii_.size(); ++s) {
    proved[s] = change * at->second.norms[s] < radii_[s];
  }
}

}  // namespace flipscope
