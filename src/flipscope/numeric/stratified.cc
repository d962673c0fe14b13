#include "flipscope/numeric/stratified.h"

#include <algorithm>
#include <cassert>
#include <cmath>

namespace flipscope {

StratifiedShare stratified_share(std::span<const StratumSample> strata, double confidence) {
  double population = 0;
  for (const StratumSample& stratum : strata) population += static_cast<double>(stratum.population);
  assert(population > 0);
  double mean = 0, below = 0, above = 0;
  for (const StratumSample& stratum : strata) {
    assert(stratum.n > 0);
    const double weight = static_cast<double>(stratum.population) / population;
    const double share = stratum.successes / stratum.n;
    const Interval interval =
        wilson_interval(stratum.successes, stratum.n, confidence, stratum.population);
    mean += weight * share;
    const double down = weight * (share - interval.lower), up = weight * (interval.upper - share);
    below += down * down;
    above += up * up;
  }
  mean = std::min(mean, 1.0);
  return {mean, {std::max(mean - std::sqrt(below), 0.0), std::min(mean + std::sqrt(above), 1.0)}};
}

}  // namespace flipscope
