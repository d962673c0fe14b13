#include "flipscope/report/campaign_report.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <numeric>

#include "flipscope/report/report.h"
#include "flipscope/report/test_report.h"
#include "flipscope/report/words.h"

namespace flipscope {
namespace {

using namespace testing;

TEST_F(ReportTest, GroupsAreThoseOfTheExport) {
  const CampaignReport report = read_campaign(exhaustive());
  EXPECT_TRUE(report.is_exhaustive());

  const auto rows = rates(file("run.db"), Grouping::layer);
  ASSERT_EQ(report.layers.size(), rows.size());
  double share = 0;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    EXPECT_EQ(report.layers[i].layer, rows[i].layer);
    EXPECT_EQ(report.layers[i].faults, rows[i].faults);
    EXPECT_EQ(report.layers[i].population, rows[i].population);
    EXPECT_DOUBLE_EQ(report.layers[i].critical->mean, rows[i].critical->mean);
    EXPECT_DOUBLE_EQ(report.layers[i].masked->mean, rows[i].masked->mean);
    EXPECT_DOUBLE_EQ(report.layers[i].non_critical.mean, rows[i].non_critical->mean);
    EXPECT_NEAR(report.layers[i].harm.mean, rows[i].critical->mean + rows[i].due->mean, 1e-12);
    EXPECT_NEAR(report.layers[i].mean_delta, *rows[i].mean_delta, 1e-12);
    share += report.layers[i].harm_share;
  }
  EXPECT_NEAR(share, 1, 1e-12);
  for (const auto* groups : {&report.layers, &report.positions, &report.cells}) {
    std::uint64_t faults = 0;
    for (const FaultGroup& group : *groups) faults += group.faults;
    EXPECT_EQ(faults, report.faults.size());
  }
  EXPECT_EQ(report.positions.front().from_msb, 0);
}

TEST_F(ReportTest, SharesOfHarmAddUpAlsoWhereGroupsArePartsOfStrata) {
  for (const char* select : {"statistical:layer", "statistical:aware"}) {
    CampaignOptions options;
    options.select = select;
    options.selection.precision.error = 0.1;
    const std::string store = file(std::string(select) + ".db");
    run(options, store, false, {}, 4);
    const CampaignReport report = read_campaign(store);
    for (const auto* groups : {&report.layers, &report.positions, &report.cells}) {
      double share = 0;
      for (const FaultGroup& group : *groups) share += group.harm_share;
      EXPECT_NEAR(share, 1, 1e-12) << select;
    }
  }
}

TEST_F(ReportTest, HarmfulBitsAreCounted) {
  const CampaignReport report = read_campaign(exhaustive());
  const auto rows = table(csv(file("run.db")));
  std::uint64_t harmful = 0;
  for (std::size_t r = 1; r < rows.size(); ++r) {
    const auto n = rows[r].size();
    harmful += rows[r][n - 4] != "0" || rows[r][n - 3] != "0" ? 1 : 0;  // critical, due
  }
  EXPECT_GT(harmful, 0u);
  EXPECT_EQ(report.worst.size(), harmful);
  EXPECT_DOUBLE_EQ(report.all.harmful.mean,
                   static_cast<double>(harmful) / static_cast<double>(rows.size() - 1));
  // Every fault was run: no interval.
  EXPECT_DOUBLE_EQ(report.all.harmful.interval.lower, report.all.harmful.mean);
}

TEST_F(ReportTest, WhatIsLeftIsWhatIsNotProtected) {
  const CampaignReport report = read_campaign(exhaustive());
  std::vector<double> harm = report.faults.harm;
  std::ranges::sort(harm, std::greater<>());
  const double all = std::accumulate(harm.begin(), harm.end(), 0.0);
  ASSERT_GE(report.residuals.size(), 3u);
  for (const Residual& residual : report.residuals) {
    const double left =
        std::accumulate(harm.begin() + static_cast<std::ptrdiff_t>(residual.bits), harm.end(), 0.0);
    EXPECT_NEAR(residual.left, left / all, 1e-9);
  }
  const auto half = bits_to_leave(report, 0.5);
  ASSERT_TRUE(half.has_value());
  const auto left_after = [&](std::uint64_t bits) {
    return std::accumulate(harm.begin() + static_cast<std::ptrdiff_t>(bits), harm.end(), 0.0);
  };
  EXPECT_LE(left_after(*half), 0.5 * all + 1e-9);
  EXPECT_GT(left_after(*half - 1), 0.5 * all);
}

TEST_F(ReportTest, AScoreWithoutDecisionsHasHarm) {
  CampaignOptions options;
  options.score = "mse";
  options.select = "random:500";
  Samples samples = make_samples(kSamples);
  samples.targets = std::vector<float>(static_cast<std::size_t>(kSamples * 3), 0.25f);
  samples.target_size = 3;
  const Plan plan(options, small_network(), std::move(samples), "regression");
  run_plan(plan, options, file("run.db"), {}, std::atomic<bool>{false});
  const CampaignReport report = read_campaign(file("run.db"));
  EXPECT_FALSE(report.by_decision());
  EXPECT_FALSE(report.is_exhaustive());
  double sum = 0;
  for (std::size_t r = 0; r < report.faults.size(); ++r) {
    const double delta = report.faults.delta[r];
    if (std::isfinite(delta)) {
      EXPECT_EQ(report.faults.harm[r], std::max(delta, 0.0));
    }
    EXPECT_TRUE(std::isfinite(report.faults.harm[r]));
    sum += report.faults.harm[r];
  }
  EXPECT_NEAR(report.all.harm.mean, sum / 500, 1e-9 * sum);
  EXPECT_LT(report.all.harm.interval.lower, report.all.harm.mean);
  EXPECT_GT(report.all.harm.interval.upper, report.all.harm.mean);
  EXPECT_NE(answer(report).front().find("worsens the mse"), std::string::npos);
  // A sample says nothing of which other bits to protect.
  const std::string rest =
      fmt::format("{} bits that were not run", grouped(plan.space().size() - 500));
  EXPECT_NE(answer(report).back().find(rest), std::string::npos);
}

TEST_F(ReportTest, TrialsHaveNoPlaces) {
  CampaignOptions options;
  options.faults = "multi:5";
  options.select = "random:30";
  run(options, file("run.db"));
  const Report report = make_report({.stores = {file("run.db")}});
  const CampaignReport& campaign = report.campaigns.front();
  EXPECT_EQ(campaign.all.faults, 30u);
  EXPECT_TRUE(campaign.layers.empty());
  EXPECT_TRUE(campaign.worst.empty());
  EXPECT_EQ(html(report).find("id=\"faults-0\""), std::string::npos);
  EXPECT_EQ(markdown(report).find("### By layer"), std::string::npos);
}

TEST_F(ReportTest, SessionsSayHowTheWorkWasSaved) {
  const CampaignReport report = read_campaign(exhaustive());
  ASSERT_EQ(report.sessions.size(), 1u);
  EXPECT_EQ(report.sessions.front().faults, report.faults.size());
  EXPECT_EQ(report.sessions.front().work.pairs(), report.faults.size() * kSamples);
  const auto what = facts(report);
  EXPECT_TRUE(std::ranges::any_of(what, [](const auto& fact) { return fact.first == "Time"; }));
}

}  // namespace
}  // namespace flipscope
