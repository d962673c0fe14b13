// What slice and `rank --metric slice:…` have in common: the problem of a command line.
#pragma once

#include <oneapi/tbb/global_control.h>

#include <string>
#include <vector>

#include "flipscope/analysis/ranking.h"
#include "flipscope/analysis/slice_score.h"
#include "options.h"

namespace flipscope::cli {

/// Model, samples, fault space and slices; they point to each other.
class SliceSetup {
 public:
  /// Throws Error where options are missing or wrong. `heuristics` as parse_columns() takes them.
  SliceSetup(const Options& options, const std::vector<std::string>& heuristics);
  SliceSetup(const SliceSetup&) = delete;
  SliceSetup& operator=(const SliceSetup&) = delete;

  const Graph& graph() const { return graph_; }
  const Samples& samples() const { return samples_; }
  const FaultSpace& space() const { return space_; }
  const std::vector<SliceColumn>& columns() const { return columns_; }
  const SliceProblem& problem() const { return problem_; }
  ChangeSource source() const { return source_; }

 private:
  tbb::global_control threads_;
  Graph graph_;
  Samples samples_;
  FaultSpace space_;
  std::vector<SliceColumn> columns_;
  ChangeSource source_;
  SliceProblem problem_;
};

/// [fault][column], or nothing where `stop` was seen. What is done stands in `checkpoint` (empty:
/// nowhere), block by block of samples, and is taken up from there; the file goes when all is done.
std::optional<std::vector<double>> score_slices(const Options& options, const SliceSetup& setup,
                                                const std::vector<std::uint64_t>& faults,
                                                const std::string& checkpoint,
                                                const std::atomic<bool>& stop);

/// Says that work was interrupted, and gives the exit code.
int interrupted(const Options& options, const std::string& checkpoint);

/// Removes a checkpoint whose work is written.
void forget(const std::string& checkpoint);

inline constexpr const char* kSliceMetric = "slice:";

/// `rank --metric slice:…`.
int rank_by_slices(const Options& options);

}  // namespace flipscope::cli
