// How far a channel may move before a decision can change: a sound bound, without a run.
//
// The decision stays where the change, as long as it can get on its way to the outputs
// (decision_gain.h), and float32's rounding in both runs together are less than the golden margin.
// A sum is off by at most u·Σ|ŝₖ| over its partial sums, to first order (Higham, "Accuracy and
// Stability of Numerical Algorithms", 2002, sections 3.1 and 3.3); what nodes behind the change
// round reaches the outputs as changes do.
#pragma once

#include <cstdint>
#include <vector>

#include "flipscope/engine/decision_gain.h"
#include "flipscope/engine/golden.h"
#include "flipscope/engine/ranges.h"

namespace flipscope {

class DecisionBound {
 public:
  DecisionBound(const DecisionGains& gains, const Program& program, const Block& golden);

  /// A change of one channel (axis 1) of an affine node's output that is shorter than this, in the
  /// Euclidean norm and before rounding, keeps the lane's decision and finite outputs. 0: not
  /// known.
  double radius(int node, std::int64_t channel, int lane) const;

  /// The same of a difference in these elements of any value, with its rounding, where nothing else
  /// differs that nodes behind it read.
  double radius_of_difference(int value, const Ranges& elements, int lane) const;

 private:
  /// Norms of what a node rounds off, [channel][lane]; empty where that is not known.
  using Rounding = std::vector<double>;
  Rounding rounding_of(const Node& node) const;

  /// What sums pass through, [element][lane]: Σₖ |sₖ| over their partial sums, and Σ|w·x| + |b|.
  struct Sizes {
    AlignedVector<float> partial, absolute;
  };
  Sizes sizes_of(const Node& node) const;

  double radius_of(int value, double gain, int lane) const;

  const DecisionGains* gains_;
  const Program* program_;
  const Block* golden_;
  std::vector<int> producer_;              ///< [value] node
  std::vector<Rounding> own_;              ///< [node], of affine nodes
  std::vector<std::vector<double>> from_;  ///< [node][lane] all from it on, at the outputs
  std::vector<double> margins_;            ///< [lane]
};

}  // namespace flipscope
