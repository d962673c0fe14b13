#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "flipscope/report/report.h"
#include "flipscope/report/test_report.h"

namespace flipscope {
namespace {

using namespace testing;

TEST_F(ReportTest, ScoresThatAreNoNumberAreTold) {
  Report report = make_report({.stores = {exhaustive()}});
  CampaignReport& campaign = report.campaigns.front();
  campaign.summary.golden_score = NAN;
  campaign.all.mean_delta = NAN;
  campaign.faults.delta.front() = NAN;
  campaign.faults.delta.back() = INFINITY;
  const auto read = nlohmann::json::parse(json(report));
  EXPECT_TRUE(read["campaigns"][0]["golden_score"].is_null());
  EXPECT_TRUE(read["campaigns"][0]["all"]["mean_delta"].is_null());
  for (const auto& row : table(flipscope::csv(report))) EXPECT_EQ(row.size(), 11u);
}

TEST_F(ReportTest, TablesHaveTheirColumns) {
  const Report report = make_report({.stores = {exhaustive()}});
  const auto rows = table(flipscope::csv(report));
  for (const auto& row : rows) EXPECT_EQ(row.size(), 11u);
  const auto harm = std::ranges::find_if(
      rows, [](const auto& row) { return row[1] == "all" && row[7] == "harm"; });
  ASSERT_NE(harm, rows.end());
  EXPECT_EQ(std::stod((*harm)[8]), report.campaigns.front().all.harm.mean);
  const std::string text = markdown(report);
  for (const char* heading : {"### By layer", "### By bit position", "### Most critical bits",
                              "### What protection leaves", "### What was run"}) {
    EXPECT_NE(text.find(heading), std::string::npos) << heading;
  }
}

}  // namespace
}  // namespace flipscope
