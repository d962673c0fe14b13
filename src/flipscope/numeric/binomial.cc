// Binomial probabilities in Loader's form, and binomial variates by rejection against them.
#include "flipscope/numeric/binomial.h"

#include <cassert>
#include <cmath>
#include <numbers>

#include "flipscope/numeric/deterministic_math.h"

namespace flipscope {
namespace {

/// log Γ(x+1) less Stirling's formula (x + 1/2)·log x − x + log √2π, for x > 0.
double stirling_error(double x) {
  if (x < 16) {
    return det::lgamma(x + 1) - (x + 0.5) * det::log(x) + x - 0.5 * det::log(2 * std::numbers::pi);
  }
  const double s = 1 / (x * x);
  return (1.0 / 12 - (1.0 / 360 - (1.0 / 1260 - (1.0 / 1680 - s / 1188) * s) * s) * s) / x;
}

/// x·log(x / mean) + mean − x. Near x = mean by its series in v = (x − mean) / (x + mean):
/// (x − mean)·v + 2·x·(v³/3 + v⁵/5 + …).
double deviance(double x, double mean) {
  if (std::fabs(x - mean) >= 0.1 * (x + mean)) return x * det::log(x / mean) + mean - x;
  const double v = (x - mean) / (x + mean);
  double sum = (x - mean) * v;
  double power = 2 * x * v;
  for (int odd = 3; odd < 1000; odd += 2) {
    power *= v * v;
    const double next = sum + power / odd;
    if (next == sum) break;
    sum = next;
  }
  return sum;
}

/// By the cumulative distribution from 0 up; n·p is small.
std::uint64_t invert(Random& random, std::uint64_t n, double p) {
  const double odds = p / (1 - p);
  double left = random.uniform();
  double probability = det::exp(static_cast<double>(n) * det::log1p(-p));
  std::uint64_t k = 0;
  while (left >= probability && k < n && probability > 0) {
    left -= probability;
    ++k;
    probability *= odds * static_cast<double>(n - k + 1) / static_cast<double>(k);
  }
  return k;
}

/// Hörmann's BTRS; its constants fit a table-mountain hat around the distribution.
std::uint64_t reject(Random& random, std::uint64_t trials, double p) {
  const auto n = static_cast<double>(trials);
  const double deviation = std::sqrt(n * p * (1 - p));
  const double b = 1.15 + 2.53 * deviation;
  const double a = -0.0873 + 0.0248 * b + 0.01 * p;
  const double alpha = (2.83 + 5.1 / b) * deviation;
  const double certain = 0.92 - 4.2 / b;
  const double mode = std::floor((n + 1) * p);
  const double at_mode = log_binomial_probability(mode, n, p);
  for (;;) {
    const double u = random.uniform() - 0.5;
    const double v = random.uniform();
    const double edge = 0.5 - std::fabs(u);
    if (edge == 0) continue;
    const double k = std::floor((2 * a / edge + b) * u + n * p + 0.5);
    if (k < 0 || k > n) continue;
    if (edge >= 0.07 && v <= certain) return static_cast<std::uint64_t>(k);
    const double height = det::log(v * alpha / (a / (edge * edge) + b));
    if (height <= log_binomial_probability(k, n, p) - at_mode) return static_cast<std::uint64_t>(k);
  }
}

}  // namespace

double log_binomial_probability(double k, double n, double p) {
  assert(0 <= k && k <= n && 0 < p && p < 1);
  if (k == 0) return n * det::log1p(-p);
  if (k == n) return n * det::log(p);
  const double rest = n - k;
  return stirling_error(n) - stirling_error(k) - stirling_error(rest) - deviance(k, n * p) -
         deviance(rest, n * (1 - p)) + 0.5 * det::log(n / (2 * std::numbers::pi * k * rest));
}

std::uint64_t binomial(Random& random, std::uint64_t n, double p) {
  assert(0 <= p && p <= 1 && n <= std::uint64_t{1} << 53);
  if (p > 0.5) return n - binomial(random, n, 1 - p);
  if (n == 0 || p == 0) return 0;
  constexpr double kFewest = 10;  // BTRS's hat covers the distribution from here on
  return static_cast<double>(n) * p < kFewest ? invert(random, n, p) : reject(random, n, p);
}

}  // namespace flipscope
