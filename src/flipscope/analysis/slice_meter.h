// The numbers of a slice's change that heuristics are functions of.
#pragma once

#include <vector>

#include "flipscope/analysis/slice_change.h"
#include "flipscope/analysis/slice_heuristic.h"
#include "flipscope/analysis/slice_problem.h"

namespace flipscope {

/// Measures changes, by what changed alone: ‖y' − c‖² = ‖y − c‖² + ‖d‖² + 2(y − c)·d. The scratch
/// memory of one thread; the problem must outlive it.
class SliceMeter {
 public:
  /// `needs`: those of the heuristics that will read it.
  SliceMeter(const SliceProblem& problem, unsigned needs);

  /// `change` and `derivatives` belong to the slice and the block, and must outlive at().
  void measure(std::size_t slice, const Block& block, const SliceChange& change,
               const SliceDerivatives& derivatives);

  /// Of the sample in a lane of the last measured block.
  SampleChange at(int lane) const;

 private:
  void add_norms(const SliceChange& change);
  void add_rows(const SliceChange& change);
  void add_derivatives(const SliceChange& change, const SliceDerivatives& derivatives);

  const SliceProblem* problem_;
  unsigned needs_;
  std::size_t slice_ = 0;
  const Block* block_ = nullptr;
  AlignedVector<float> norms_;       ///< [l1, squared, largest, along][lane]
  AlignedVector<float> rows_;        ///< [row of the model][lane]
  AlignedVector<float> jacobian_;    ///< [output][lane]
  AlignedVector<float> gradient_;    ///< [lane]
  std::vector<std::int32_t> count_;  ///< 0, 1, 2, …
};

}  // namespace flipscope
