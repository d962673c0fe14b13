#include "flipscope/numeric/binomial.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>
#include <vector>

#include "flipscope/numeric/test_chi_square.h"

namespace flipscope {
namespace {

// mpmath, 50 digits.
TEST(Binomial, LogProbability) {
  struct Row {
    double k, n, p, expected;
  };
  for (const Row& row : std::vector<Row>{
           {0, 10, 0.3, -3.56674943938732363},
           {10, 10, 0.3, -12.0397280432593603},
           {3, 10, 0.3, -1.32115127776688864},
           {2.5, 7.25, 0.9, -7.73518320023052146},
           {15, 31, 0.5, -1.96647053396455833},
           {1e6, 1e12, 1e-6, -7.82669339551989313},
           {500000, 1000000, 0.4, -20418.1308070091824},
           {1e12 + 3e6, 2e12, 0.5, -23.3878755008980992},
           {1, 1e15, 1e-15, -0.9999999999999995},
       }) {
    EXPECT_NEAR(log_binomial_probability(row.k, row.n, row.p), row.expected,
                3e-14 * std::max(1.0, std::fabs(row.expected)))
        << row.k << " of " << row.n;
  }
}

// Inversion, rejection, and p > 1/2, against the probabilities.
TEST(Binomial, FollowsItsDistribution) {
  const std::vector<std::pair<std::uint64_t, double>> cases{
      {1, 0.3},   {12, 0.5},   {1000, 0.005},   {25, 0.4},
      {100, 0.5}, {100, 0.93}, {100000, 0.001}, {12720, 0.075}};
  for (const auto& [n, p] : cases) {
    Random random(n);
    constexpr int kDraws = 100000;
    std::map<std::uint64_t, double> drawn;
    for (int i = 0; i < kDraws; ++i) ++drawn[binomial(random, n, p)];
    ASSERT_LE(drawn.rbegin()->first, n);
    std::vector<double> counts, expected;
    double rare_count = 0, rare = kDraws;
    for (std::uint64_t k = 0; k <= n; ++k) {
      const double mean = kDraws * std::exp(log_binomial_probability(static_cast<double>(k),
                                                                     static_cast<double>(n), p));
      const double count = drawn.contains(k) ? drawn[k] : 0;
      if (mean < 20) {
        rare_count += count;
        continue;
      }
      counts.push_back(count);
      expected.push_back(mean);
      rare -= mean;
    }
    if (rare > 5) {
      counts.push_back(rare_count);
      expected.push_back(rare);
    }
    EXPECT_LT(std::fabs(chi_square_deviate(counts, expected)), kSurprise) << n << " " << p;
  }
}

TEST(Binomial, HasTheRightMomentsForHugeCounts) {
  Random random(12);
  constexpr std::uint64_t kTrials = 1'000'000'000'000'000;
  constexpr double kP = 0.3;
  constexpr int kDraws = 20000;
  const double deviation = std::sqrt(kTrials * kP * (1 - kP));
  double sum = 0, squares = 0;
  for (int i = 0; i < kDraws; ++i) {
    const double z =
        (static_cast<double>(binomial(random, kTrials, kP)) - kTrials * kP) / deviation;
    sum += z;
    squares += z * z;
  }
  EXPECT_LT(std::fabs(sum) / std::sqrt(kDraws), kSurprise);
  EXPECT_LT(std::fabs(squares / kDraws - 1) * std::sqrt(kDraws / 2.0), kSurprise);
}

TEST(Binomial, Edges) {
  Random random(1);
  EXPECT_EQ(binomial(random, 0, 0.5), 0u);
  EXPECT_EQ(binomial(random, 100, 0), 0u);
  EXPECT_EQ(binomial(random, 100, 1), 100u);
  EXPECT_EQ(binomial(random, std::uint64_t{1} << 53, 1), std::uint64_t{1} << 53);
  EXPECT_EQ(binomial(random, 1000, 1e-300), 0u);
}

}  // namespace
}  // namespace flipscope
