// Estimates of vulnerability factors beside the truth.
#pragma once

#include <cstdint>
#include <span>

namespace flipscope {

struct Agreement {
  std::int64_t targets = 0;
  double truth = 0, estimate = 0;     ///< means
  double absolute = 0, relative = 0;  ///< mean |error|, and Σ|error|/Σtruth
  double rank_correlation = 0;        ///< Spearman's ρ; NaN where one side is constant
  double constant_absolute = 0;       ///< mean |error| of the best constant, the truth's median
};
Agreement agreement(std::span<const double> truth, std::span<const double> estimate);

}  // namespace flipscope
