#include "flipscope/ops/least_sum.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <vector>

#include "flipscope/numeric/random.h"

namespace flipscope {
namespace {

TEST(LeastSum, IsThatOfALoop) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  Random random(1);
  for (std::int64_t count = 0; count < 100; ++count) {
    std::vector<double> a, b;
    double least = kInfinity;
    for (std::int64_t i = 0; i < count; ++i) {
      a.push_back(random.uniform());
      b.push_back(random.below(4) == 0 ? kInfinity : -random.uniform());
      least = std::min(least, a.back() + b.back());
    }
    EXPECT_EQ(least_sum(a.data(), b.data(), count), least) << count;
  }
}

}  // namespace
}  // namespace flipscope
