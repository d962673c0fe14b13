#include "flipscope/campaign/outcome_sums.h"

#include "flipscope/campaign/run_plan.h"
#include "flipscope/numeric/nan_sign.h"
#include "flipscope/numeric/stratified.h"

namespace flipscope {

void OutcomeSums::add(const FaultRow& row, double golden_score) {
  ++faults;
  masked += row.outcomes.masked;
  non_critical += row.outcomes.non_critical;
  critical += row.outcomes.critical;
  due += row.outcomes.due;
  delta += row.score - golden_score;
}

Rate rate_of(std::span<const OutcomeSums> strata, std::uint64_t OutcomeSums::*outcome,
             std::int64_t samples, double confidence) {
  const auto successes = [&](const OutcomeSums& sums) {
    return static_cast<double>(sums.*outcome) / static_cast<double>(samples);
  };
  if (strata.size() == 1) {
    const OutcomeSums& sums = strata.front();
    return make_rate(successes(sums) / static_cast<double>(sums.faults), sums.faults,
                     sums.population, confidence);
  }
  std::vector<StratumSample> drawn;
  for (const OutcomeSums& sums : strata) {
    drawn.push_back({successes(sums), static_cast<double>(sums.faults), sums.population});
  }
  const StratifiedShare share = stratified_share(drawn, confidence);
  return {share.mean, share.interval};
}

double mean_delta(std::span<const OutcomeSums> strata) {
  if (strata.size() == 1) {
    return without_nan_sign(strata.front().delta / static_cast<double>(strata.front().faults));
  }
  double sum = 0, population = 0;
  for (const OutcomeSums& sums : strata) {
    const auto weight = static_cast<double>(sums.population);
    sum += weight * sums.delta / static_cast<double>(sums.faults);
    population += weight;
  }
  return without_nan_sign(sum / population);
}

StratumKey stratum_of(const CampaignRecord& record, const FaultSite& site) {
  if (record.strata == Strata::none) return {-1, -1};
  return {site.target, record.strata == Strata::bits ? site.bit : -1};
}

std::uint64_t population_of(const CampaignRecord& record, const StratumKey& stratum) {
  const auto [t, bit] = stratum;
  if (t < 0) return record.population;
  const FaultTarget& target = record.targets.at(t);
  return bit < 0 ? target.size() : target.size_at(bit);
}

}  // namespace flipscope
