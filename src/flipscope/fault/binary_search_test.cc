#include "flipscope/fault/binary_search.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "flipscope/fault/test_graph.h"
#include "flipscope/numeric/test_error.h"

namespace flipscope {
namespace {

using testing::small_network;

TEST(BinarySearch, FindsEveryBoundary) {
  for (std::int64_t count = 0; count < 40; ++count) {
    for (std::int64_t boundary = 0; boundary <= count; ++boundary) {
      int asked = 0;
      const SearchState state = binary_search(count, [&](std::int64_t i) {
        ++asked;
        return std::optional(i < boundary);
      });
      EXPECT_TRUE(state.is_over());
      EXPECT_EQ(state.front, boundary);
      EXPECT_LE(1 << asked, 2 * (count + 1));
    }
  }
}

TEST(BinarySearch, StopsWhereNothingIsKnown) {
  const SearchState state =
      binary_search(8, [](std::int64_t i) { return i == 3 ? std::optional(true) : std::nullopt; });
  EXPECT_FALSE(state.is_over());
  EXPECT_EQ(state.question(), 5);
}

TEST(SearchLists, GoFromTheMostSignificantBit) {
  const auto lowers = [](int position) { return position == 0 || position == 3; };
  EXPECT_EQ(search_lists(5, SearchKind::joint, lowers),
            (std::vector<std::vector<int>>{{4, 3, 2, 1, 0}}));
  EXPECT_EQ(search_lists(5, SearchKind::separate, lowers),
            (std::vector<std::vector<int>>{{4, 2, 1}, {3, 0}}));
}

TEST(SearchLists, TheSignGoesTheOtherWay) {
  StoredTensor stored{
      .shape = {2}, .encoding = {.format = integer_format(4)}, .words = {0b0101, 0b1101}};
  std::vector<std::vector<bool>> found(2);
  for (int word = 0; word < 2; ++word) {
    for (int bit = 0; bit < 4; ++bit) found[word].push_back(flip_lowers(stored, word, bit));
  }
  EXPECT_EQ(found[0], (std::vector<bool>{true, false, true, true}));
  EXPECT_EQ(found[1], (std::vector<bool>{true, false, true, false}));
  const double none = std::nan("");
  EXPECT_FALSE(lowers(1, none));
  EXPECT_TRUE(lowers(-1, none));
}

class SearchesTest : public ::testing::Test {
 protected:
  Graph graph = small_network(6);
  FaultSpace space{graph, {}};  // words of 6 and of 32 bits

  /// Plays a chunk to its end; gives the sites that were flipped.
  static std::vector<FaultSite> play(const Selection& selection, Chooser& chooser,
                                     std::uint64_t first, std::uint64_t count,
                                     const std::function<bool(const FaultSite&)>& is_critical) {
    std::vector<FaultSite> sites;
    for (;;) {
      const auto rows = chooser.next(first, count);
      if (rows.empty()) return sites;
      EXPECT_TRUE(std::ranges::is_sorted(rows));
      for (const std::uint64_t row : rows) {
        EXPECT_GE(row, first);
        EXPECT_LT(row, first + count);
        const FaultSite site = selection.fault(row).sites.front();
        sites.push_back(site);
        chooser.observe({row, is_critical(site), 0});
      }
    }
  }
};

TEST_F(SearchesTest, EveryWordIsSearchedByItself) {
  for (const auto kind : {SearchKind::joint, SearchKind::separate}) {
    const auto searches = search_faults(graph, space, kind);
    const std::uint64_t words = 48 + 6 * graph.values[graph.outputs[0]].shape[1] +
                                static_cast<std::uint64_t>(space.targets()[1].elements);
    EXPECT_EQ(searches->size(), words * 32);
    EXPECT_EQ(searches->population(), 0u);
    const std::uint64_t chunk = searches->chunk_rows(100);
    EXPECT_EQ(chunk, 96u);
    const auto chooser = searches->chooser();
    EXPECT_FALSE(chooser->in_order());
    // Bits from 3 on are critical: each word is asked at most ⌈log2(n + 1)⌉ times for each list.
    std::vector<FaultSite> all;
    for (std::uint64_t first = 0; first < searches->size(); first += chunk) {
      const std::uint64_t count = std::min(chunk, searches->size() - first);
      const auto sites = play(*searches, *chooser, first, count,
                              [](const FaultSite& site) { return site.bit >= 3; });
      all.insert(all.end(), sites.begin(), sites.end());
    }
    EXPECT_EQ(std::set(all.begin(), all.end()).size(), all.size());
    const std::size_t most = kind == SearchKind::joint ? 6 : 10;
    EXPECT_LE(all.size(), words * most);
    // 3 of 6 bits in 48 words, 29 of 32 in the others.
    const std::string note = chooser->notes().at(0);
    EXPECT_NE(note.find(std::to_string(48 * 3 + (words - 48) * 29) + " of their bits"),
              std::string::npos)
        << note;
  }
}

TEST_F(SearchesTest, ResumesWhereItWas) {
  const auto searches = search_faults(graph, space, SearchKind::separate);
  const auto is_critical = [](const FaultSite& site) { return site.bit > site.index % 7; };
  const auto whole = searches->chooser();
  const auto expected = play(*searches, *whole, 0, 320, is_critical);
  const auto half = searches->chooser();
  for (const std::uint64_t row : searches->chooser()->next(0, 320)) {
    half->observe({row, is_critical(searches->fault(row).sites.front()), 0});
  }
  auto rest = play(*searches, *half, 0, 320, is_critical);
  for (const std::uint64_t row : searches->chooser()->next(0, 320)) {
    rest.push_back(searches->fault(row).sites.front());
  }
  EXPECT_EQ(std::set(rest.begin(), rest.end()), std::set(expected.begin(), expected.end()));
}

TEST_F(SearchesTest, SeparateNeedsStoredWords) {
  const FaultSpace activations(graph, {.parts = {Part::activations}, .layers = {}, .bits = {}});
  EXPECT_NE(message_of([&] {
              search_faults(graph, activations, SearchKind::separate);
            }).find("--binfi joint"),
            std::string::npos);
  EXPECT_GT(search_faults(graph, activations, SearchKind::joint)->size(), 0u);
}

}  // namespace
}  // namespace flipscope
