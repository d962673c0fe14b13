// How surprising observed counts are: for tests of random draws.
#pragma once

#include <cmath>
#include <vector>

namespace flipscope {

/// Pearson's χ² against the expected counts, as a standard normal deviate (Wilson and Hilferty).
inline double chi_square_deviate(const std::vector<double>& counts,
                                 const std::vector<double>& expected) {
  double chi2 = 0;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    chi2 += (counts[i] - expected[i]) * (counts[i] - expected[i]) / expected[i];
  }
  const double degrees = static_cast<double>(counts.size()) - 1;
  const double v = 2 / (9 * degrees);
  return (std::cbrt(chi2 / degrees) - (1 - v)) / std::sqrt(v);
}

/// A deviate that a test calls wrong: chance exceeds it once in 16,000, and seeds are fixed.
inline constexpr double kSurprise = 4;

}  // namespace flipscope
