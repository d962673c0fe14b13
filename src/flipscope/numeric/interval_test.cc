#include "flipscope/numeric/interval.h"

#include <gtest/gtest.h>

#include <cmath>
#include <utility>
#include <vector>

namespace flipscope {
namespace {

void expect_close(double value, double expected, double relative = 1e-12) {
  EXPECT_LE(std::fabs(value - expected), relative * std::fabs(expected))
      << value << " is not " << expected;
}

// scipy.stats.norm.ppf.
TEST(Interval, NormalQuantiles) {
  for (const auto& [confidence, z] : std::vector<std::pair<double, double>>{
           {0.5, 0.6744897501960817},
           {0.8, 1.2815515655446004},
           {0.9, 1.6448536269514729},
           {0.95, 1.959963984540054},
           {0.98, 2.3263478740408408},
           {0.99, 2.5758293035489004},
           {0.999, 3.2905267314918945},
           {0.999999, 4.8916384756929325},
           {0.999999999999, 7.130509892879273},
       }) {
    expect_close(two_sided_z(confidence), z, 1e-14);
  }
  EXPECT_NEAR(two_sided_z(0), 0, 1e-15);
}

// scipy.stats.binomtest(k, n).proportion_ci(confidence, "wilson").
TEST(Interval, WilsonAgreesWithScipy) {
  struct Row {
    double k, n, confidence, lower, upper;
  };
  for (const Row& row : std::vector<Row>{
           {0, 10, 0.95, 0.0, 0.27753279986288926},
           {1, 10, 0.95, 0.017876213095072896, 0.4041500267952385},
           {5, 10, 0.95, 0.236593090512564, 0.7634069094874361},
           {10, 10, 0.95, 0.7224672001371109, 1.0},
           {3, 1000, 0.99, 0.0007581012310614683, 0.011793516682924922},
           {0, 1000000, 0.95, 0.0, 3.841444063944942e-06},
           {123456, 1000000, 0.98, 0.12269276199804184, 0.12422331361265466},
           {1, 12720, 0.95, 1.3877851384307485e-05, 0.0004452176851012233},
           {8080, 12720, 0.95, 0.6268151536276709, 0.6435434492465617},
       }) {
    const Interval wilson = wilson_interval(row.k, row.n, row.confidence);
    expect_close(wilson.lower, row.lower);
    expect_close(wilson.upper, row.upper);
  }
}

// scipy.special.betainc.
TEST(Interval, IncompleteBeta) {
  struct Row {
    double a, b, x, expected;
  };
  for (const Row& row : std::vector<Row>{
           {0.5, 0.5, 0.1, 0.20483276469913345},
           {2, 3, 0.4, 0.5248},
           {1e5, 2e5, 0.3333, 0.48472420024960267},
           {0.001, 5, 0.2, 0.9997834456464277},
           {300, 0.7, 0.999, 0.579582542311384},
           {1e8, 1e8, 0.50003, 0.8019280453412152},
           {5, 1e9, 3e-9, 0.18473675724055713},
       }) {
    expect_close(incomplete_beta(row.a, row.b, row.x), row.expected, 1e-11);
    expect_close(1 - incomplete_beta(row.b, row.a, 1 - row.x), row.expected, 1e-6);
  }
  EXPECT_EQ(incomplete_beta(2, 3, 0), 0);
  EXPECT_EQ(incomplete_beta(2, 3, 1), 1);
}

TEST(Interval, WilsonTakesRealSuccesses) {
  const double z2 = std::pow(two_sided_z(0.95), 2);
  const Interval interval = wilson_interval(2.5, 10);
  // Its ends solve (p̂ − p)² = z²·p·(1 − p)/n.
  for (const double p : {interval.lower, interval.upper}) {
    EXPECT_NEAR((0.25 - p) * (0.25 - p), z2 * p * (1 - p) / 10, 1e-15);
  }
  EXPECT_LT(wilson_interval(2.4, 10).lower, interval.lower);
  EXPECT_GT(wilson_interval(2.6, 10).upper, interval.upper);
}

TEST(Interval, FinitePopulationNarrowsWilson) {
  // Its ends solve (p̂ − p)² = z²·p·(1 − p)/n·(N − n)/(N − 1).
  const double z2 = std::pow(two_sided_z(0.99), 2);
  const Interval interval = wilson_interval(30, 400, 0.99, 1000);
  for (const double p : {interval.lower, interval.upper}) {
    EXPECT_NEAR((0.075 - p) * (0.075 - p), z2 * p * (1 - p) / 400 * 600 / 999, 1e-15);
  }
  EXPECT_EQ(wilson_interval(30, 400, 0.99, 400), (Interval{0.075, 0.075}));
  EXPECT_EQ(wilson_interval(1, 1, 0.99, 1), (Interval{1, 1}));
  const Interval endless = wilson_interval(30, 400);
  const Interval vast = wilson_interval(30, 400, 0.95, 1'000'000'000'000);
  EXPECT_NEAR(vast.lower, endless.lower, 1e-9);
  EXPECT_NEAR(vast.upper, endless.upper, 1e-9);
}

TEST(Interval, ContainsTheShareAndIsSymmetric) {
  for (int n = 1; n <= 60; ++n) {
    for (double k = 0; k <= n; k += 0.5) {
      const Interval interval = wilson_interval(k, n);
      ASSERT_LE(0, interval.lower);
      ASSERT_LE(interval.lower, k / n);
      ASSERT_GE(interval.upper, k / n);
      ASSERT_LE(interval.upper, 1);
      const Interval mirrored = wilson_interval(n - k, n);
      ASSERT_NEAR(interval.lower, 1 - mirrored.upper, 1e-12);
    }
  }
}

TEST(Interval, WithoutTrialsNothingIsKnown) {
  EXPECT_EQ(wilson_interval(0, 0), (Interval{0, 1}));
}

}  // namespace
}  // namespace flipscope
