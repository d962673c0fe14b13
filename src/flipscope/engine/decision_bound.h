// How far a channel may move before a decision can change: a sound bound, without a run.
//
// The decision stays where the change, as long as it can get on its way to the outputs
// (decision_gain.h), and float32's rounding in both runs together are less than the golden margin.
// A sum of K terms is off by at most γ_K·Σ|w·x| (Higham, "Accuracy and Stability of Numerical
// Algorithms", 2002, section 3.1); what nodes behind the change round reaches the outputs as
// changes do.
#pragma once

#include <cstdint>
#include <vector>

#include "flipscope/engine/decision_gain.h"
#include "flipscope/engine/golden.h"

namespace flipscope {

class DecisionBound {
 public:
  DecisionBound(const DecisionGains& gains, const Program& program, const Block& golden);

  /// A change of one channel (axis 1) of an affine node's output that is shorter than this, in the
  /// Euclidean norm and before rounding, keeps the lane's decision and finite outputs. 0: not
  /// known.
  double radius(int node, std::int64_t channel, int lane) const;

 private:
  /// Norms of what a node rounds off, [channel][lane]; empty where that is not known.
  using Rounding = std::vector<double>;
  Rounding rounding_of(const Node& node) const;

  const DecisionGains* gains_;
  const Program* program_;
  const Block* golden_;
  std::vector<Rounding> own_;                ///< [node], of affine nodes
  std::vector<std::vector<double>> behind_;  ///< [node][lane] all of later nodes, at the outputs
  std::vector<double> margins_;              ///< [lane]
};

}  // namespace flipscope
