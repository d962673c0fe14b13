// Confidence intervals of a share, normal quantiles, and the incomplete beta function.
#pragma once

#include <cstdint>

namespace flipscope {

struct Interval {
  double lower = 0;
  double upper = 1;

  bool operator==(const Interval&) const = default;
};

/// z with Φ(z) − Φ(−z) = confidence, for 0 ≤ confidence < 1: 1.96 for 0.95.
double two_sided_z(double confidence);

/// Wilson's score interval of a share (JASA 22, 1927). `successes` need not be whole: a mean of
/// per-fault shares times n. A `population` (0: without end) of which n were drawn without
/// replacement narrows it by the finite-population correction, z²·(population − n)/(population −
/// 1). [0, 1] where n is 0.
Interval wilson_interval(double successes, double n, double confidence = 0.95,
                         std::uint64_t population = 0);

/// The regularised incomplete beta function I_x(a, b), a, b > 0, 0 ≤ x ≤ 1.
double incomplete_beta(double a, double b, double x);

}  // namespace flipscope
