#include "flipscope/numeric/exp_row.h"

#include <gtest/gtest.h>

#include <bit>
#include <cstdint>
#include <vector>

#include "flipscope/numeric/deterministic_math.h"

namespace flipscope {
namespace {

// Every 997th of all float32 words: NaNs, infinities, denormals and both overflows among them.
TEST(ExpRow, HasTheBitsOfEachExp) {
  std::vector<float> x;
  for (std::uint64_t word = 0; word < (std::uint64_t{1} << 32); word += 997) {
    x.push_back(std::bit_cast<float>(static_cast<std::uint32_t>(word)));
  }
  std::vector<float> y(x.size());
  det::exp_row(x.data(), y.data(), static_cast<std::int64_t>(x.size()));
  std::size_t differing = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    differing +=
        std::bit_cast<std::uint32_t>(y[i]) == std::bit_cast<std::uint32_t>(det::exp(x[i])) ? 0 : 1;
  }
  EXPECT_EQ(differing, 0u);
}

TEST(ExpRow, ReachesEveryNumberOfAShortRow) {
  for (std::int64_t count = 0; count < 40; ++count) {
    std::vector<float> x(count + 1, 1.5f);
    det::exp_row(x.data(), x.data(), count);
    for (std::int64_t i = 0; i < count; ++i) EXPECT_EQ(x[i], det::exp(1.5f));
    EXPECT_EQ(x[count], 1.5f);
  }
}

}  // namespace
}  // namespace flipscope
