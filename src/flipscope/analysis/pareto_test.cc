#include "flipscope/analysis/pareto.h"

#include <gtest/gtest.h>

#include <cmath>

namespace flipscope {
namespace {

TEST(Pareto, TheFrontHoldsWhatNothingBeats) {
  EXPECT_EQ(pareto_front({{1, 5}, {2, 4}, {3, 4}, {2, 6}, {5, 1}}),
            (std::vector<bool>{true, true, false, false, true}));
  EXPECT_EQ(pareto_front({{1, 1}, {1, 1}}), (std::vector<bool>{true, true}));
  EXPECT_EQ(pareto_front({{1, NAN}, {2, 3}, {2, 4}}), (std::vector<bool>{true, false, false}));
}

}  // namespace
}  // namespace flipscope
