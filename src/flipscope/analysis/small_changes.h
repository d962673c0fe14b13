// Which flips of a channel's weights are too small to change a decision: proved, not run.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "flipscope/analysis/fault_target.h"
#include "flipscope/engine/decision_bound.h"

namespace flipscope {

/// A flip by Δw moves the channel by Δw·x, as long as |Δw| times the norm of all inputs that the
/// weight meets there; it is small where that lies within the channel's radius (decision_bound.h).
class SmallChanges {
 public:
  SmallChanges(const Graph& graph, const DecisionBound& bound, const Block& golden,
               const AnalysedLayer& layer, std::int64_t channel);

  /// proved[sample] = true where flipping these bits of a stored word cannot change the decision.
  void operator()(std::int64_t word, Word mask, std::vector<bool>& proved) const;

 private:
  struct Weight {
    FilterWeight weight;
    std::vector<double> norms;  ///< [sample] of its inputs
  };

  const Graph* graph_;
  AnalysedLayer layer_;
  std::int64_t channel_;
  std::vector<double> radii_;               ///< [sample]
  std::map<std::int64_t, Weight> weights_;  ///< by word
};

}  // namespace flipscope
