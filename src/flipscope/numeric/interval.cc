// Confidence intervals of a share, and the functions that they need.
#include "flipscope/numeric/interval.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <numbers>

#include "flipscope/numeric/binomial.h"
#include "flipscope/numeric/deterministic_math.h"

namespace flipscope {
namespace {

/// t ≥ 0 with erfc(t) = tail, 0 < tail ≤ 1, by Newton's method on log erfc: it is concave, and
/// erfc(t) ≤ exp(−t²) gives a start beyond the root, so the steps never overshoot.
double inverse_erfc(double tail) {
  const double target = det::log(tail);
  double t = std::min(std::sqrt(-target), 26.0);  // erfc(26) is nearly the smallest number
  for (int i = 0; i < 100; ++i) {
    const double value = det::erfc(t);
    const double slope = -2 * std::numbers::inv_sqrtpi * det::exp(-t * t) / value;
    const double next = t - (det::log(value) - target) / slope;
    if (std::fabs(next - t) <= 1e-16 * t) break;
    t = next;
  }
  return std::max(t, 0.0);
}

/// The continued fraction of I_x(a, b)·B(a, b) / (x^a·y^b), y = 1 − x, by Lentz's method; for
/// lambda = a − (a + b)·x ≥ 0, which a caller knows without cancellation. DiDonato and Morris,
/// "Algorithm 708", ACM TOMS 18, 1992, eq. 9.
double beta_fraction(double a, double b, double x, double y, double lambda) {
  double value = a * (lambda + 1) / (a + 1);
  double ratio = value;  // of successive numerators
  double inverse = 0;    // of successive denominators, inverted
  constexpr int kMost = 100'000'000;
  for (int n = 1; n < kMost; ++n) {
    const double step = a + 2.0 * n - 1;
    const double alpha = (a + n - 1) / step * ((a + b + n - 1) / step) * n * (b - n) * x * x;
    const double beta =
        n + n * (b - n) * x / step + (a + n) / (step + 2) * (lambda + 1 + n * (1 + y));
    ratio = beta + alpha / ratio;
    inverse = 1 / (beta + alpha * inverse);
    const double factor = ratio * inverse;
    value *= factor;
    if (std::fabs(factor - 1) < 1e-15) break;
  }
  return 1 / value;
}

}  // namespace

double two_sided_z(double confidence) {
  assert(0 <= confidence && confidence < 1);
  return std::numbers::sqrt2 * inverse_erfc(1 - confidence);
}

Interval wilson_interval(double successes, double n, double confidence, std::uint64_t population) {
  assert(0 <= successes && successes <= n);
  if (n == 0) return {};
  const double z = two_sided_z(confidence);
  double z2 = z * z;
  if (population > 0) {
    const auto all = static_cast<double>(population);
    z2 *= n < all ? (all - n) / (all - 1) : 0;
  }
  const double centre = (successes + z2 / 2) / (n + z2);
  const double half = std::sqrt(z2 * (successes * (n - successes) / n + z2 / 4)) / (n + z2);
  return {successes == 0 ? 0 : std::max(centre - half, 0.0),
          successes == n ? 1 : std::min(centre + half, 1.0)};
}

double incomplete_beta(double a, double b, double x) {
  assert(a > 0 && b > 0 && 0 <= x && x <= 1);
  if (x == 0 || x == 1) return x;
  // x^a·(1−x)^b / B(a, b), from the binomial probability of a in a + b.
  const double front = det::exp(log_binomial_probability(a, a + b, x)) * (a / (a + b)) * b;
  const double lambda = a - (a + b) * x;
  if (lambda >= 0) return front * beta_fraction(a, b, x, 1 - x, lambda);
  return 1 - front * beta_fraction(b, a, 1 - x, x, -lambda);
}

}  // namespace flipscope
