// What a slice and its heuristics cost, beside the exact run that they stand for.
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "flipscope/analysis/slice_score.h"

namespace flipscope {

/// Seconds of one (fault, sample) pair on one thread, of random faults of one slice on one block of
/// samples, all measured side by side.
struct SliceCost {
  std::size_t slice = 0;
  std::uint64_t faults = 0;           ///< that were timed
  double run = 0;                     ///< to the end of the slice
  double update = 0;                  ///< golden + Δw·x in its place; 0 unless slices end at sums
  std::vector<double> column;         ///< [column] heuristic and reduction alone
  double centroids_from_scratch = 0;  ///< distances of all faulty outputs, not of what changed; 0
                                      ///< where there are no centroids
  double exact = 0, suffix = 0, whole = 0;  ///< to the network's output, by Method
  double unchanged = 0;   ///< share of the faults that change nothing at the end of the slice
  double coinciding = 0;  ///< share that change the same as another one that was timed
  double comparing = 0;   ///< what it takes to find that out

  /// True where a slice with this heuristic is cheaper than the exact run.
  bool pays(std::size_t c) const { return run + column[c] < exact; }
};

/// Squared distances of whole faulty outputs from all centroids, [class][lane]: what SliceMeter
/// finds by the change alone.
std::vector<double> distances_from_scratch(const SliceProblem& problem, std::size_t slice,
                                           const Block& block, const SliceChange& change);

/// Times about `count` of `faults` in each slice that has any; neighbours are timed together, so
/// that bits of one word meet. Ends early once `stop` is set.
std::vector<SliceCost> measure_cost(const SliceProblem& problem,
                                    const std::vector<std::uint64_t>& faults,
                                    const std::vector<SliceColumn>& columns, std::uint64_t count,
                                    std::uint64_t seed, const std::atomic<bool>& stop);

}  // namespace flipscope
