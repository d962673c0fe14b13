#include "flipscope/fault/until.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "flipscope/fault/test_graph.h"
#include "flipscope/numeric/interval.h"

namespace flipscope {
namespace {

class UntilTest : public ::testing::Test {
 protected:
  std::unique_ptr<Selection> select(const std::string& how, const std::string& model = "bit-flip",
                                    std::uint64_t seed = 0) const {
    return select_faults(graph, space, parse_fault_model(model), parse_selection(how), {}, seed,
                         {});
  }

  /// Rows that it takes where every fault has this share of critical samples.
  static std::uint64_t rows_for(const Selection& selection, double share) {
    const auto chooser = selection.chooser();
    for (std::uint64_t row = 0; row < chooser->size(); ++row) {
      EXPECT_FALSE(chooser->next(row, 1).empty());
      chooser->observe({row, share > 0, share});
    }
    EXPECT_TRUE(chooser->next(chooser->size(), 1).empty());
    EXPECT_EQ(chooser->notes().size(), 1u);
    return chooser->size();
  }

  Graph graph = testing::small_network();
  FaultSpace space{graph, {}};
};

TEST_F(UntilTest, TheMostIsEnoughForAnyShare) {
  for (const double margin : {0.3, 0.1, 0.05, 0.01, 0.001}) {
    for (const double confidence : {0.9, 0.95, 0.99}) {
      const auto n = static_cast<double>(most_until(margin, confidence));
      const Interval most = wilson_interval(n / 2, n, confidence);
      EXPECT_LE((most.upper - most.lower) / 2, margin);
      if (n <= 200) continue;
      const Interval less = wilson_interval((n - 200) / 2, n - 200, confidence);
      EXPECT_GT((less.upper - less.lower) / 2, margin);
    }
  }
}

TEST_F(UntilTest, EndsAtTheFirstLookThatSuffices) {
  const auto until = select("until:0.02");
  EXPECT_EQ(until->size(), 2400u);
  EXPECT_EQ(until->population(), space.size());
  EXPECT_TRUE(until->chooser()->in_order());
  for (const double share : {0.0, 0.1, 0.5}) {
    const auto n = static_cast<double>(rows_for(*until, share));
    EXPECT_EQ(std::fmod(n, 100), 0);
    const auto width = [&](double faults) {
      const Interval i = wilson_interval(share * faults, faults, 0.95, space.size());
      return (i.upper - i.lower) / 2;
    };
    EXPECT_LE(width(n), 0.02) << share;
    if (n > 100) {
      EXPECT_GT(width(n - 100), 0.02) << share;
    }
  }
  // Without a critical fault a look still wants faults: 3.84/(n + 3.84) ≤ 0.04.
  EXPECT_EQ(rows_for(*until, 0), 100u);
  EXPECT_EQ(rows_for(*select("until:0.002"), 0), 900u);
}

TEST_F(UntilTest, RowsAreInRandomOrderAndDistinct) {
  const auto until = select("until:0.02", "bit-flip", 5);
  std::set<FaultSite> seen;
  std::uint64_t ascents = 0;
  FaultSite last;
  for (std::uint64_t row = 0; row < until->size(); ++row) {
    const FaultSite site = until->fault(row).sites.front();
    EXPECT_TRUE(seen.insert(site).second);
    ascents += last < site ? 1 : 0;
    last = site;
  }
  EXPECT_GT(ascents, 1000u);
  EXPECT_LT(ascents, 1400u);
  // Of the whole space where the margin needs more than that.
  EXPECT_EQ(select("until:0.0001")->size(), space.size());
}

TEST_F(UntilTest, TrialsHaveNoEnd) {
  const auto until = select("until:0.05", "multi:9");
  EXPECT_EQ(until->population(), 0u);
  EXPECT_EQ(until->size(), 400u);
  EXPECT_EQ(until->fault(3).sites, select("random:9", "multi:9")->fault(3).sites);
}

}  // namespace
}  // namespace flipscope
