#include "flipscope/report/design_space.h"

#include <fstream>

#include "flipscope/report/report.h"
#include "flipscope/report/test_report.h"

namespace flipscope {
namespace {

using namespace testing;

TEST_F(ReportTest, NetworksAlikeAreCompared) {
  const std::string store = exhaustive();
  CampaignOptions options;
  options.select = "random:40";
  run(options, file("part.db"));
  std::ofstream(file("costs.csv")) << "store,latency,note\npart,2.5,a b\nrun,3,c\n";
  const Report report =
      make_report({.stores = {store, file("part.db")}, .costs = file("costs.csv")});
  ASSERT_TRUE(report.space.has_value());
  const DesignSpace& space = *report.space;
  EXPECT_EQ(space.columns, (std::vector<std::string>{"latency", "note"}));
  EXPECT_EQ(space.designs[0].costs, (std::vector<std::string>{"3", "c"}));
  EXPECT_EQ(space.designs[1].costs, (std::vector<std::string>{"2.5", "a b"}));
  EXPECT_EQ(space.score, "mispredict");
  EXPECT_TRUE(space.designs[0].to_guard.has_value());
  EXPECT_FALSE(space.designs[1].to_guard.has_value());  // not every fault was run
  EXPECT_NE(markdown(report).find("| latency | note |"), std::string::npos);
  for (const auto& row : table(flipscope::csv(report))) EXPECT_EQ(row.size(), 11u);
  EXPECT_NE(message_of([&] {
              make_report({.stores = {store}, .costs = file("costs.csv")});
            }).find("two stores"),
            std::string::npos);
  std::ofstream(file("costs.csv")) << "store,latency\nother,2\n";
  EXPECT_NE(message_of([&] {
              make_report({.stores = {store, file("part.db")}, .costs = file("costs.csv")});
            }).find("no row is called 'run'"),
            std::string::npos);
}

TEST_F(ReportTest, SharesOfSensitiveBitsAreThoseOfTheNetworkOrSaidNotToBe) {
  std::string score;
  const double truth = read_design(exhaustive(), score).sensitive.mean;
  CampaignOptions options;
  options.space.bits = "msb:3";
  options.select = "statistical:aware";
  options.selection.precision.error = 0.05;
  options.selection.precision.confidence = 0.999;
  run(options, file("strata.db"));
  const Design strata = read_design(file("strata.db"), score);
  EXPECT_LT(strata.sensitive.interval.lower, truth);
  EXPECT_GT(strata.sensitive.interval.upper, truth);
  EXPECT_EQ(strata.note, "");
  options = {};
  options.space.bits = "msb:3";
  options.select = "binary-search";
  run(options, file("search.db"));
  const Design search = read_design(file("search.db"), score);
  EXPECT_EQ(search.sensitive.interval.lower, search.sensitive.interval.upper);
  EXPECT_NE(search.note, "");
}

}  // namespace
}  // namespace flipscope
