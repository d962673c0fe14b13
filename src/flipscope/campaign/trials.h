// What trials of many flips do to the score, as their store tells.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "flipscope/numeric/interval.h"

namespace flipscope {

struct TrialStatistics {
  std::uint64_t trials = 0;
  double golden = 0;        ///< score without faults
  double mean = 0;          ///< of the scores
  double deviation = 0;     ///< standard, of one trial
  Interval interval;        ///< of the mean, 95%, normal
  std::uint64_t worse = 0;  ///< trials whose score is worse than the golden one
  /// Scores at 5, 25, 50, 75 and 95% of the trials.
  std::array<double, 5> quantiles{};

  double change() const { return mean - golden; }
};

/// Throws Error where the store holds no rows, or a score that is no finite number.
TrialStatistics trial_statistics(const std::string& store);

}  // namespace flipscope
