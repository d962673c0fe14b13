#include "flipscope/analysis/inflection.h"

#include <gtest/gtest.h>

#include "flipscope/fault/test_graph.h"

namespace flipscope {
namespace {

TEST(Inflection, HeightsAreAboveTheLowestBitOfEitherDirectionThatMatters) {
  Graph graph = testing::small_network(6);
  const FaultSpace space(graph, {.parts = {Part::weights}, .layers = {"conv"}, .bits = {}});
  std::vector<Word>& words = graph.stored[space.targets()[0].id].words;
  words[0] = 0b010110;
  words[1] = 0b000000;
  // Word 0: 3 and 0 raise it, and 3 matters; 5, 4, 2, 1 lower it, and those down to 4 matter.
  // Word 1: all matter, and 5, the sign, alone lowers it.
  const auto height = heights_above_inflection(graph, space, [&](std::uint64_t fault) {
    return (fault >= 3 && fault <= 5) || (fault >= 6 && fault < 12);
  });
  EXPECT_EQ(std::vector<double>(height.begin(), height.begin() + 12),
            (std::vector<double>{-3, -3, -2, 0, 0, 1, 0, 1, 2, 3, 4, 0}));
}

}  // namespace
}  // namespace flipscope
