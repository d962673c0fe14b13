#include "flipscope/analysis/inflection.h"

#include <gtest/gtest.h>

#include "flipscope/fault/test_graph.h"

namespace flipscope {
namespace {

TEST(Inflection, HeightsAreAboveTheLowestBitOfEitherKindThatMatters) {
  Graph graph = testing::small_network(6);
  const FaultSpace space(graph, {.parts = {Part::weights}, .layers = {"conv"}, .bits = {}});
  std::vector<Word>& words = graph.stored[space.targets()[0].id].words;
  words[0] = 0b010110;
  words[1] = 0b000000;
  // Word 0: of its zeros 5, 3, 0 those down to 3 matter, of its ones 4, 2, 1 none. Word 1: all.
  const auto height = heights_above_inflection(graph, space, [&](std::uint64_t fault) {
    return fault == 5 || fault == 3 || (fault >= 6 && fault < 12);
  });
  EXPECT_EQ(std::vector<double>(height.begin(), height.begin() + 12),
            (std::vector<double>{-3, -5, -4, 0, -2, 2, 0, 1, 2, 3, 4, 5}));
}

}  // namespace
}  // namespace flipscope
