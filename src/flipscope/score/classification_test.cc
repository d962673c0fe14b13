#include "flipscope/score/classification.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include "flipscope/score/test_special_values.h"

namespace flipscope {
namespace {

std::vector<std::int32_t> decisions(const std::vector<float>& out, int values, int lanes) {
  std::vector<std::int32_t> result(lanes);
  decide(out.data(), values, lanes, result.data());
  return result;
}

TEST(Classification, TiesGoToTheLowestIndex) {
  EXPECT_EQ(decisions({1, 0, 3, 2, 3, 2}, 3, 2), (std::vector<std::int32_t>{1, 1}));
  EXPECT_EQ(decisions({-0.0f, 0.0f, 0.0f, -0.0f}, 2, 2), (std::vector<std::int32_t>{0, 0}));
}

TEST(Classification, NanIsNeverTheLargest) {
  EXPECT_EQ(decisions({kNan, -5, kNan}, 3, 1)[0], 1);
  EXPECT_EQ(decisions({kNan, kNan}, 2, 1)[0], 0);
  EXPECT_EQ(decisions({-kInf, -kInf}, 2, 1)[0], 0);
  EXPECT_EQ(decisions({3, kInf, kInf}, 3, 1)[0], 1);
}

TEST(Classification, AgreesWithALoopForAnyNumberOfLanes) {
  std::mt19937 random(1);
  for (const int lanes : {1, 3, 16, 63, 64, 65, 130}) {
    const int values = 7;
    std::vector<float> out(values * lanes);
    for (float& x : out) x = static_cast<float>(random() % 4);
    const std::vector<std::int32_t> decision = decisions(out, values, lanes);
    for (int l = 0; l < lanes; ++l) {
      int best = 0;
      for (int v = 1; v < values; ++v) {
        if (out[v * lanes + l] > out[best * lanes + l]) best = v;
      }
      EXPECT_EQ(decision[l], best);
    }
  }
}

TEST(Classification, TopKIsAStableSort) {
  std::mt19937 random(2);
  const int values = 6;
  const int lanes = 50;
  std::vector<float> out(values * lanes);
  for (float& x : out) x = random() % 5 == 0 ? kNan : static_cast<float>(random() % 4);
  for (int k = 1; k <= values; ++k) {
    std::vector<std::int32_t> label(lanes);
    for (std::int32_t& x : label) x = static_cast<std::int32_t>(random() % values);
    std::vector<std::uint8_t> inside(lanes);
    among_top(out.data(), values, lanes, label.data(), k, inside.data());
    for (int l = 0; l < lanes; ++l) {
      std::vector<int> order{0, 1, 2, 3, 4, 5};
      std::ranges::stable_sort(order, [&](int a, int b) {
        const float x = out[a * lanes + l];
        const float y = out[b * lanes + l];
        return std::isnan(y) ? !std::isnan(x) : x > y;
      });
      const auto place = std::ranges::find(order, label[l]) - order.begin();
      EXPECT_EQ(inside[l], place < k ? 1 : 0);
    }
  }
}

TEST(Classification, FindsNanAndInfinity) {
  const std::vector<float> out{1, kNan, 2, 3e38f, 5, -kInf, 1e-45f, 6};
  std::vector<std::uint8_t> broken(4);
  find_non_finite(out.data(), 2, 4, broken.data());
  EXPECT_EQ(broken, (std::vector<std::uint8_t>{0, 1, 0, 0}));
  find_non_finite(out.data(), 4, 2, broken.data());
  EXPECT_EQ(broken[0], 0);
  EXPECT_EQ(broken[1], 1);
}

}  // namespace
}  // namespace flipscope
