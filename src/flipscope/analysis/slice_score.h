// SliceFI: every fault is run to the end of its slice, and heuristics score what it changes there.
//
// (Slicing for fault injection: faults × samples cost one layer each, and slices need nothing of
// each other, so they run in parallel.)
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <vector>

#include "flipscope/analysis/slice_meter.h"

namespace flipscope {

/// Where a slice's change comes from.
enum class ChangeSource {
  run,     ///< the slice is run
  update,  ///< golden + Δw·x, without a run; for slices that end at sums
};

/// Scores so far: blocks of samples are added in order, whoever computes them.
struct SliceScores {
  std::size_t blocks = 0;    ///< that are in it
  std::vector<double> sums;  ///< [fault][column]
};

/// Adds the blocks that `scores` lacks, the first of them after the last that it has; `done` is
/// called after each. `faults` are numbers in the space, flipped one bit each. Gives false where
/// `stop` was seen: the block at work is then not in the scores. Results do not depend on threads.
/// `tick` hears how many faults × blocks are done.
bool add_scores(const SliceProblem& problem, const std::vector<std::uint64_t>& faults,
                const std::vector<SliceColumn>& columns, ChangeSource source, SliceScores& scores,
                const std::atomic<bool>& stop, const std::function<void(std::uint64_t)>& tick,
                const std::function<void()>& done);

/// [fault][column], when all blocks are in it.
std::vector<double> finished(const SliceProblem& problem, const std::vector<SliceColumn>& columns,
                             const SliceScores& scores);

/// Union of the columns' needs.
unsigned needs_of(const std::vector<SliceColumn>& columns);

/// One fault's h of every heuristic and sample, after `meter` measured it: calls
/// use(column number, h) for each column, sample by sample.
class ColumnReader {
 public:
  explicit ColumnReader(const std::vector<SliceColumn>& columns);

  /// Adds the last measured block of `samples` to sums [column].
  void add(const SliceMeter& meter, int samples, double* sums) const;

 private:
  struct Group {
    const Heuristic* heuristic;
    std::vector<std::size_t> columns;
  };
  std::vector<Group> groups_;  ///< columns of one heuristic together: it is computed once
  std::vector<Reducer> reducers_;
};

}  // namespace flipscope
