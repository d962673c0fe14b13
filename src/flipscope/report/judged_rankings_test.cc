#include "flipscope/report/judged_rankings.h"

#include <fstream>

#include "flipscope/report/report.h"
#include "flipscope/report/test_report.h"

namespace flipscope {
namespace {

using namespace testing;

TEST_F(ReportTest, RankingsAreJudgedAndCurvesRead) {
  const std::string store = exhaustive();
  std::string list = "layer,tensor,index,bit\nconv,conv.weight,0,3\nconv,conv.weight,1,3\n";
  std::ofstream(file("list.csv")) << list;
  std::ofstream(file("curves.csv"))
      << "ranking,flips,found\nbinfi,0,0\nbinfi,10,0.5\n\"a,b\",0,0\n(best possible),0,0\n";
  std::ofstream(file("tops.csv")) << "ranking,percent,bits,flips\nbinfi,1,3,\nbinfi,2,6,40\n";
  const Report report = make_report(
      {.stores = {store}, .rankings = {file("list.csv"), file("curves.csv"), file("tops.csv")}});
  const auto& rankings = report.campaigns.front().rankings;
  ASSERT_EQ(rankings.size(), 4u);
  EXPECT_EQ(rankings[0].name, "list");
  EXPECT_EQ(rankings[0].evaluation->ranked, 2u);
  EXPECT_EQ(rankings[1].name, "binfi");
  EXPECT_EQ(rankings[1].curve.at(1).flips, 10u);
  EXPECT_EQ(rankings[1].curve.at(1).found, 0.5);
  EXPECT_FALSE(rankings[1].evaluation.has_value());
  ASSERT_EQ(rankings[1].top.size(), 2u);
  EXPECT_FALSE(rankings[1].top[0].flips.has_value());
  EXPECT_EQ(rankings[1].top[1].flips, 40u);
  ASSERT_EQ(rankings[3].top.size(), 100u);
  EXPECT_EQ(rankings[2].name, "a,b");
  EXPECT_EQ(rankings[3].curve.back().found, 1);
  EXPECT_GT(rankings[3].evaluation->area, rankings[0].evaluation->area);
  std::ofstream(file("bad.csv")) << "ranking,flips,found\nbinfi,x,0\n";
  EXPECT_NE(message_of([&] {
              make_report({.stores = {store}, .rankings = {file("bad.csv")}});
            }).find("bad.csv:2"),
            std::string::npos);
}

}  // namespace
}  // namespace flipscope
