#include "flipscope/analysis/error_map.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <numeric>

#include "flipscope/numeric/random.h"

namespace flipscope {
namespace {

TEST(ErrorMap, CountsEveryProductOnce) {
  Random random(1);
  std::vector<Word> bits;
  for (int bit = 0; bit < 32; ++bit) bits.push_back(Word{1} << bit);
  ProductCounter counter;
  for (int flips = 1; flips <= 2; ++flips) {
    const std::vector<Word> masks = flip_masks(bits, flips);
    ASSERT_EQ(masks.size(), flips == 1 ? 32u : 496u);
    for (int round = 0; round < 200; ++round) {
      const auto w = static_cast<float>(random.normal() * std::ldexp(1.0, round % 9 - 4));
      std::vector<double> changes;
      for (const Word mask : masks) {
        changes.push_back(double{std::bit_cast<float>(std::bit_cast<Word>(w) ^ mask)} - double{w});
      }
      ErrorMap one_by_one, together;
      const Changes sorted(changes);
      counter.begin(sorted);
      for (int i = 0; i < 30; ++i) {
        double x = i % 5 == 0 ? 0 : static_cast<float>(random.normal());
        if (i == 29) x = round % 3 == 0 ? HUGE_VAL : (round % 3 == 1 ? std::nan("") : 1.0);
        counter.count(x);
        for (const double change : changes) one_by_one.add(change * x);
      }
      counter.finish(together);
      ASSERT_EQ(together.total, one_by_one.total);
      ASSERT_EQ(together.counts, one_by_one.counts);
      ASSERT_EQ(together.large_binades, one_by_one.large_binades);
      ASSERT_EQ(together.undefined, one_by_one.undefined);
    }
  }
}

TEST(ErrorMap, BinadesAndTheirEnds) {
  ErrorMap map;
  for (const double delta : {0.0, 0x1.8p-11, -0x1p-10, 1.5, -1023.0, 1024.0, HUGE_VAL}) {
    map.add(delta);
  }
  map.add(std::nan(""));
  EXPECT_EQ(map.total, 8);
  EXPECT_EQ(map.undefined, 1);
  EXPECT_EQ(map.counts[1][0], 1);
  EXPECT_EQ(map.counts[0][10], 1);
  EXPECT_EQ(map.counts[1][19], 1);
  EXPECT_EQ(map.counts[0][kLarge], 2);
  EXPECT_EQ(map.large_value(0), std::ldexp(1.0f, (10 + 128) / 2));
}

}  // namespace
}  // namespace flipscope
