// rank --metric slice:HEURISTIC[:REDUCTION].
#include <chrono>

#include "flipscope/numeric/error.h"
#include "json.h"
#include "slice_setup.h"
#include "stop_signal.h"
#include "terminal.h"

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
  const Ranking ranking = rank_bits(setup.space(), *scores);
  write_ranking(setup.space(), ranking, options.out);
  forget(checkpoint);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  if (options.json) {
    print(text(Json::Object{{"model", options.campaign.model},
                            {"metric", options.metric},
                            {"samples", setup.problem().samples()},
                            {"bits", ranking.size()},
                            {"seconds", took.count()},
                            {"out", options.out},
                            {"seed", options.campaign.seed}}));
  } else if (!options.quiet && !options.out.empty()) {
    print(fmt::format("{}: {} bits by {} ({} samples, seed {}), in {}\n", options.out,
                      grouped(ranking.size()), options.metric,
                      grouped(static_cast<std::uint64_t>(setup.problem().samples())),
                      options.campaign.seed, duration(took.count())));
  }
  return 0;
}

}  // namespace flipscope::cli
