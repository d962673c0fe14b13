#include "flipscope/numeric/stratified.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "flipscope/numeric/binomial.h"
#include "flipscope/numeric/random.h"

namespace flipscope {
namespace {

using Strata = std::vector<StratumSample>;

TEST(Stratified, OneStratumIsWilsons) {
  const StratifiedShare share = stratified_share(Strata{{7, 50, 400}}, 0.99);
  const Interval wilson = wilson_interval(7, 50, 0.99, 400);
  EXPECT_DOUBLE_EQ(share.mean, 0.14);
  EXPECT_DOUBLE_EQ(share.interval.lower, wilson.lower);
  EXPECT_DOUBLE_EQ(share.interval.upper, wilson.upper);
}

TEST(Stratified, StrataCountByTheirPopulation) {
  // 100 of 100 known to be 0, 30 of 300 all 1: three quarters, and doubt of the second alone.
  const StratifiedShare share = stratified_share(Strata{{0, 100, 100}, {30, 30, 300}});
  EXPECT_DOUBLE_EQ(share.mean, 0.75);
  EXPECT_DOUBLE_EQ(share.interval.upper, 0.75);
  const double doubt = 1 - wilson_interval(30, 30, 0.95, 300).lower;
  EXPECT_NEAR(share.interval.lower, 0.75 - 0.75 * doubt, 1e-15);
}

TEST(Stratified, WithoutASuccessDoubtRemains) {
  const StratifiedShare share = stratified_share(Strata{{0, 20, 1000}, {0, 20, 1000}});
  EXPECT_EQ(share.mean, 0);
  EXPECT_EQ(share.interval.lower, 0);
  const double each = wilson_interval(0, 20, 0.95, 1000).upper;
  EXPECT_NEAR(share.interval.upper, each / std::sqrt(2.0), 1e-15);
}

/// Twelve strata of very different shares and sampling rates: intervals must cover as often as
/// they say. (Wilson's method is a little off by nature; far fewer would be a mistake.)
TEST(Stratified, CoversTheTruth) {
  constexpr int kTrials = 2000;
  Random random(3, 0);
  int covered = 0;
  for (int trial = 0; trial < kTrials; ++trial) {
    Strata strata;
    double truth = 0;
    for (int h = 0; h < 12; ++h) {
      const double p = h < 8 ? 0.003 * h : 0.2 * (h - 7);
      const std::uint64_t n = 40 + 30 * static_cast<std::uint64_t>(h);
      strata.push_back(
          {static_cast<double>(binomial(random, n, p)), static_cast<double>(n), 1'000'000'000});
      truth += p / 12;
    }
    const Interval interval = stratified_share(strata).interval;
    covered += interval.lower <= truth && truth <= interval.upper ? 1 : 0;
  }
  EXPECT_GT(covered, 0.93 * kTrials);
}

}  // namespace
}  // namespace flipscope
