// Rates of a group of rows, from sums over each of the strata that they were drawn from.
#pragma once

#include <cstdint>
#include <span>
#include <utility>

#include "flipscope/campaign/campaign.h"
#include "flipscope/campaign/record.h"

namespace flipscope {

struct OutcomeSums {
  std::uint64_t faults = 0, masked = 0, non_critical = 0, critical = 0, due = 0;
  double delta = 0;
  std::uint64_t population = 0;  ///< faults that the rows were drawn from; 0: none known

  void add(const FaultRow& row, double golden_score);
};

/// The mean share of samples that `outcome` counts, over the faults of a group: of one stratum, or
/// of several by their populations (numeric/stratified.h). There must be faults.
Rate rate_of(std::span<const OutcomeSums> strata, std::uint64_t OutcomeSums::*outcome,
             std::int64_t samples, double confidence);

/// The mean change of score, likewise.
double mean_delta(std::span<const OutcomeSums> strata);

/// Target and bit of a row's stratum, −1 where strata do not divide so far.
using StratumKey = std::pair<int, int>;
StratumKey stratum_of(const CampaignRecord& record, const FaultSite& site);

/// Faults that a stratum has.
std::uint64_t population_of(const CampaignRecord& record, const StratumKey& stratum);

}  // namespace flipscope
