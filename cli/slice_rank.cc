// rank --metric slice:HEURISTIC[:REDUCTION].
#include <chrono>

#include "flipscope/numeric/error.h"
#include "ranking_output.h"
#include "slice_setup.h"
#include "stop_signal.h"

namespace flipscope::cli {

int rank_by_slices(const Options& options) {
  const auto begin = std::chrono::steady_clock::now();
  const std::atomic<bool>& stop = stop_signal();
  const SliceSetup setup(options, {options.metric.substr(std::string(kSliceMetric).size())});
  if (setup.columns().size() != 1) {
    fail("usage", "--metric {} is {} heuristics; a ranking has one", options.metric,
         setup.columns().size());
  }
  std::vector<std::uint64_t> faults(setup.space().size());
  for (std::size_t k = 0; k < faults.size(); ++k) faults[k] = k;
  const std::string checkpoint = options.out.empty() ? "" : options.out + ".partial";
  const auto scores = score_slices(options, setup, faults, checkpoint, stop);
  if (!scores) return interrupted(options, checkpoint);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  const int code = give_ranking(
      options, setup.space(), rank_bits(setup.space(), *scores),
      {.samples = setup.problem().samples(), .words = "", .more = {}, .seconds = took.count()});
  forget(checkpoint);
  return code;
}

}  // namespace flipscope::cli
