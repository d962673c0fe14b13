#include "flipscope/campaign/trials.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "flipscope/campaign/store.h"
#include "flipscope/numeric/error.h"
#include "flipscope/score/score.h"

namespace flipscope {

TrialStatistics trial_statistics(const std::string& path) {
  const Store store = Store::open(path);
  const bool higher = higher_is_better(store.record().fields.at("score"));
  std::vector<double> scores;
  store.for_each_row([&](const FaultRow& row) { scores.push_back(row.score); });
  const auto golden = store.golden_score();
  if (scores.empty() || !golden) fail("protect", "{} holds no trials yet", path);
  TrialStatistics found{.trials = scores.size(), .golden = *golden};
  for (const double score : scores) {
    if (!std::isfinite(score)) fail("protect", "{}: a trial's score is {}", path, score);
    found.mean += score - found.golden;
    found.worse += (higher ? score < *golden : score > *golden) ? 1 : 0;
  }
  const auto n = static_cast<double>(scores.size());
  found.mean = found.golden + found.mean / n;
  double squares = 0;
  for (const double score : scores) squares += (score - found.mean) * (score - found.mean);
  found.deviation = scores.size() > 1 ? std::sqrt(squares / (n - 1)) : 0;
  const double margin = two_sided_z(0.95) * found.deviation / std::sqrt(n);
  found.interval = {found.mean - margin, found.mean + margin};
  std::ranges::sort(scores);
  constexpr std::array<double, 5> kShares{0.05, 0.25, 0.5, 0.75, 0.95};
  for (std::size_t k = 0; k < kShares.size(); ++k) {
    found.quantiles[k] = scores[static_cast<std::size_t>(std::lround(kShares[k] * (n - 1)))];
  }
  return found;
}

}  // namespace flipscope
