#include "flipscope/analysis/ranking.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "flipscope/fault/fault_list.h"
#include "flipscope/fault/test_graph.h"
#include "flipscope/numeric/test_folder.h"

namespace flipscope {
namespace {

FaultTarget target(const char* layer, std::int64_t elements, int width) {
  FaultTarget made;
  made.layer = layer;
  made.tensor = std::string(layer) + ".weight";
  made.elements = elements;
  made.shape = {elements};
  made.encoding.format = integer_format(width);
  for (int bit = 0; bit < width; ++bit) made.bits.push_back(bit);
  return made;
}

std::vector<FaultSite> sites(const Ranking& ranking) {
  std::vector<FaultSite> result;
  for (const RankedBit& bit : ranking) result.push_back(bit.site);
  return result;
}

TEST(Ranking, WordsAlignAtTheMostSignificantBit) {
  const FaultSpace space({target("a", 2, 3), target("b", 1, 2)});
  const auto order = sites(rank_words(space, {1, 5, 3}));
  EXPECT_EQ(
      order,
      (std::vector<FaultSite>{
          {0, 1, 2}, {1, 0, 1}, {0, 0, 2}, {0, 1, 1}, {1, 0, 0}, {0, 0, 1}, {0, 1, 0}, {0, 0, 0}}));
}

TEST(Ranking, ElementsAlignAtTheirOwnMostSignificantBit) {
  FaultTarget mixed = target("a", 3, 3);
  mixed.encoding.elements = {{0, 3, true}, {2, 1, true}, {1, 0, true}};
  allow_bits(mixed, {});
  const FaultSpace space({mixed});
  EXPECT_EQ(sites(rank_words(space, {1, 5, 3})),
            (std::vector<FaultSite>{{0, 1, 0}, {0, 0, 2}, {0, 0, 1}, {0, 0, 0}}));
}

TEST(Ranking, TiesKeepTheOrderOfTheSpaceAndNaNGoesFirst) {
  const FaultSpace space({target("a", 2, 2)});
  EXPECT_EQ(sites(rank_words(space, {4, 4})),
            (std::vector<FaultSite>{{0, 0, 1}, {0, 1, 1}, {0, 0, 0}, {0, 1, 0}}));
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(sites(rank_bits(space, {1, 2, nan, 2})),
            (std::vector<FaultSite>{{0, 1, 0}, {0, 0, 1}, {0, 1, 1}, {0, 0, 0}}));
  EXPECT_EQ(sites(rank_bits(space, {1, 2, nan, 2}, {9, 1, 0, nan})),
            (std::vector<FaultSite>{{0, 1, 0}, {0, 1, 1}, {0, 0, 1}, {0, 0, 0}}));
}

TEST(Ranking, RandomIsAnOrderOfAllBitsThatTheSeedDecides) {
  const FaultSpace space({target("a", 50, 4)});
  const auto one = sites(random_ranking(space, 1));
  EXPECT_EQ(one, sites(random_ranking(space, 1)));
  EXPECT_NE(one, sites(random_ranking(space, 2)));
  auto sorted = one;
  std::ranges::sort(sorted);
  for (std::uint64_t k = 0; k < space.size(); ++k) EXPECT_EQ(sorted[k], space.site(k));
}

TEST(Ranking, FileIsReadBackAsAFaultList) {
  const Graph graph = testing::small_network(6);
  const FaultSpace space(graph, {});
  const Ranking ranking = random_ranking(space, 3);
  const std::string file = temporary_path("ranking.csv");
  write_ranking(space, ranking, file);
  const auto entries = read_fault_list(file, space, {Part::weights});
  ASSERT_EQ(entries.size(), ranking.size());
  for (std::size_t k = 0; k < ranking.size(); ++k) {
    EXPECT_EQ(entries[k].site, ranking[k].site);
  }
}

}  // namespace
}  // namespace flipscope
