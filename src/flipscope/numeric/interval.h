// Confidence intervals of a share: Wilson's, and Clopper and Pearson's.
#pragma once

#include <cstdint>

namespace flipscope {

struct Interval {
  double lower = 0;
  double upper = 1;

  bool operator==(const Interval&) const = default;
};

/// x with Φ(x) = p, for 0 < p < 1.
double normal_quantile(double p);

/// z with Φ(z) − Φ(−z) = confidence, for 0 ≤ confidence < 1: 1.96 for 0.95.
double two_sided_z(double confidence);

/// Wilson's score interval of a share (JASA 22, 1927). `successes` need not be whole: a mean of
/// per-fault shares times n. A `population` (0: without end) of which n were drawn without
/// replacement narrows it by the finite-population correction, z²·(population − n)/(population −
/// 1). [0, 1] where n is 0.
Interval wilson_interval(double successes, double n, double confidence = 0.95,
                         std::uint64_t population = 0);

/// The interval of Clopper and Pearson (Biometrika 26, 1934), which covers at least `confidence`
/// of the time whatever the share. [0, 1] where n is 0.
Interval clopper_pearson_interval(double successes, double n, double confidence = 0.95);

/// The regularised incomplete beta function I_x(a, b), a, b > 0, 0 ≤ x ≤ 1.
double incomplete_beta(double a, double b, double x);

}  // namespace flipscope
