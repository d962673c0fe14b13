#include "flipscope/numeric/correlation.h"

#include <gtest/gtest.h>

#include <cmath>

namespace flipscope {
namespace {

using Numbers = std::vector<double>;

TEST(Correlation, TiesShareTheirRanks) {
  EXPECT_EQ(average_ranks(Numbers{3, 1, 3, 2, 3}), (Numbers{4, 1, 4, 2, 4}));
  EXPECT_EQ(average_ranks(Numbers{}), Numbers{});
}

TEST(Correlation, SpearmanWorkedOutByHand) {
  EXPECT_DOUBLE_EQ(spearman(Numbers{1, 2, 3, 4}, Numbers{10, 100, 1000, 10000}), 1);
  EXPECT_DOUBLE_EQ(spearman(Numbers{1, 2, 3, 4}, Numbers{4, 3, 2, 1}), -1);
  // Without ties 1 − 6·Σd²/(n(n²−1)): d = 1, 1, 0, 0 of n = 4.
  EXPECT_DOUBLE_EQ(spearman(Numbers{1, 2, 3, 4}, Numbers{2, 1, 3, 4}), 1 - 6.0 * 2 / (4 * 15));
  // Ranks 1.5 1.5 3 and 1 2 3: covariance 1.5, variances 1.5 and 2.
  EXPECT_DOUBLE_EQ(spearman(Numbers{5, 5, 9}, Numbers{1, 2, 3}), 1.5 / std::sqrt(3.0));
  EXPECT_TRUE(std::isnan(spearman(Numbers{1, 1}, Numbers{1, 2})));
}

}  // namespace
}  // namespace flipscope
