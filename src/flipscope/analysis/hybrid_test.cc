#include "flipscope/analysis/hybrid.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "flipscope/numeric/random.h"

namespace flipscope {
namespace {

TEST(Hybrid, TheBarKeepsAllButATwentiethOfTheCalibratingShare) {
  std::vector<Audited> calibration;
  for (int k = 0; k < 200; ++k) calibration.push_back({static_cast<double>(k), k >= 100 ? 1.0 : 0});
  // Five of a hundred may lie below.
  EXPECT_EQ(choose_bar(calibration), 105);
  for (Audited& fault : calibration) fault.share = 0;
  EXPECT_EQ(choose_bar(calibration), std::numeric_limits<double>::infinity());
}

TEST(Hybrid, TheErrorIsOfWhatIsNotRun) {
  // 10 of 1,000 candidates audited, half of them critical on a tenth of the samples.
  const std::vector<double> below{0.1, 0, 0.1, 0, 0.1, 0, 0.1, 0, 0.1, 0};
  const HybridError error = left_error(below, 1000, 2000);
  EXPECT_EQ(error.left_out, 990U);
  EXPECT_NEAR(error.stated, 0.05 * 990 / 2000, 1e-12);
  EXPECT_LT(error.interval.lower, error.stated);
  EXPECT_GT(error.interval.upper, error.stated);
  EXPECT_EQ(left_error(below, 10, 2000).interval, (Interval{0, 0}));
}

TEST(Hybrid, AuditsAreDistinctAndOfTheSeed) {
  const std::vector<std::uint64_t> audit = draw_audit(100, 40, 3);
  EXPECT_EQ(std::set<std::uint64_t>(audit.begin(), audit.end()).size(), 40U);
  EXPECT_EQ(audit, draw_audit(100, 40, 3));
  EXPECT_NE(audit, draw_audit(100, 40, 4));
}

/// Shares that grow with the score but not alone, most of them 0: the interval covers what is left.
TEST(Hybrid, IntervalsCoverTheErrorThatIsLeft) {
  Random random(5);
  std::vector<double> score, share;
  for (int k = 0; k < 20000; ++k) {
    score.push_back(random.uniform());
    const double chance = 0.3 * score.back() * score.back() * score.back() * score.back();
    share.push_back(random.uniform() < chance ? std::pow(random.uniform(), 3) : 0);
  }
  int covered = 0;
  double run = 0;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    const HybridReplay replay = replay_hybrid(score, share, 1000, seed);
    covered += replay.covered ? 1 : 0;
    run += static_cast<double>(std::ranges::count(replay.ran, char{1})) / 20000 / 200;
  }
  EXPECT_GE(covered, 186);
  EXPECT_LT(run, 0.9);
}

}  // namespace
}  // namespace flipscope
