// Campaigns whose selections adapt, and those that draw from strata.
#include <algorithm>
#include <cmath>
#include <map>

#include "flipscope/analysis/rivals.h"
#include "flipscope/campaign/oracle.h"
#include "flipscope/campaign/store.h"
#include "flipscope/campaign/test_campaign.h"

namespace flipscope {
namespace {

using namespace testing;

class AdaptiveTest : public InFolder {
 protected:
  /// Runs the campaign and stops it at every few rows, until it is done. Where a slow machine tells
  /// of rows before their chunk is done, and so loses them, the next stop comes later.
  void run_in_pieces(const CampaignOptions& options, const std::string& store, int bits) const {
    const Plan plan(options, small_network(bits), make_samples(kSamples),
                    "model" + std::to_string(bits));
    std::uint64_t patience = 0;
    for (int piece = 0; piece < 1000; ++piece) {
      std::atomic<bool> stop{false};
      std::uint64_t first = 0;
      bool began = false;
      const auto summary = run_plan(
          plan, options, store,
          [&](std::uint64_t done, std::uint64_t, double) {
            if (!began) first = done;
            began = true;
            if (done > first + patience) stop = true;
          },
          stop);
      if (!summary.interrupted) return;
      patience = summary.run_now > 0 ? 0 : 2 * patience + 1;
    }
    FAIL() << "it never ends";
  }
};

TEST_F(AdaptiveTest, RowsAreTheSameForAnyThreadsAndInterruption) {
  for (const char* select : {"until:0.02", "binary-search", "statistical:aware"}) {
    for (const int bits : {0, 5}) {
      CampaignOptions options;
      options.select = select;
      options.threads = 1;
      options.selection.precision.error = 0.05;
      const std::string name = file(select + std::to_string(bits));
      const CampaignSummary one = run(options, name, false, {}, bits);
      const std::string expected = csv(name);
      EXPECT_GT(one.done, 50u);
      EXPECT_LT(one.done, one.space);
      EXPECT_EQ(one.run_now, one.done);
      options.threads = 3;
      options.memory = 1;
      run(options, name + "3", false, {}, bits);
      EXPECT_EQ(csv(name + "3"), expected) << select;
      run_in_pieces(options, name + "p", bits);
      EXPECT_EQ(csv(name + "p"), expected) << select;
      options.verify = 5;
      const CampaignSummary again = run(options, name, false, {}, bits);
      EXPECT_EQ(again.run_now, 0u);
      EXPECT_EQ(again.verified, 5);
      EXPECT_EQ(again.done, one.done);
      EXPECT_EQ(summarize(name).done, one.done);
    }
  }
}

TEST_F(AdaptiveTest, UntilKeepsItsWord) {
  CampaignOptions options;
  options.select = "until:0.01";
  const CampaignSummary summary = run(options, file("until.db"));
  ASSERT_TRUE(summary.critical);
  const Interval& interval = summary.critical->interval;
  EXPECT_LE((interval.upper - interval.lower) / 2, 0.01);
  EXPECT_EQ(summary.done % 100, 0u);
  EXPECT_EQ(summary.done, summary.rows);
  run({}, file("all.db"));
  const double truth = summarize(file("all.db")).critical->mean;
  EXPECT_LT(interval.lower, truth);
  EXPECT_GT(interval.upper, truth);
}

/// A crash between the last chunk and the note that it was the last.
TEST_F(AdaptiveTest, UntilEndsAfterACrashAtItsEnd) {
  CampaignOptions options;
  options.select = "until:0.02";
  const CampaignSummary whole = run(options, file("a.db"));
  const std::string expected = csv(file("a.db"));
  Database::open_or_create(file("a.db")).execute("UPDATE meta SET value = 2400 WHERE key = 'rows'");
  const CampaignSummary again = run(options, file("a.db"));
  EXPECT_EQ(again.run_now, 0u);
  EXPECT_EQ(again.rows, whole.rows);
  EXPECT_EQ(csv(file("a.db")), expected);
}

TEST_F(AdaptiveTest, TrialsEndToo) {
  CampaignOptions options;
  options.select = "until:0.1";
  options.faults = "multi:3";
  run(options, file("trials.db"));
  export_sites(file("trials.db"), file("sites.csv"));
  const auto rows = table(read(file("sites.csv")));
  EXPECT_EQ(rows.size(), 1 + 3 * summarize(file("trials.db")).done);
}

TEST_F(AdaptiveTest, SearchesShardByWord) {
  CampaignOptions options;
  options.select = "binary-search";
  run(options, file("one.db"));
  std::vector<std::string> shards;
  for (int k = 1; k <= 3; ++k) {
    options.shard = {k, 3};
    shards.push_back(file("shard" + std::to_string(k)));
    run(options, shards.back());
  }
  EXPECT_TRUE(merge_stores(shards, file("merged.db")).notes.empty());
  EXPECT_EQ(csv(file("merged.db")), csv(file("one.db")));
}

/// A search that runs and one that is replayed on all faults make the same flips; so do samples.
TEST_F(AdaptiveTest, ReplaysAreTheCampaigns) {
  for (const int bits : {0, 5}) {
    CampaignOptions options;
    options.critical = "delta>0";
    options.selection.precision.error = 0.05;
    const std::string all = file("all" + std::to_string(bits));
    run(options, all, false, {}, bits);
    const Oracle oracle = read_oracle(all, Sensitive::worse);
    const auto same = [&](const std::string& store, std::vector<std::uint64_t> replayed) {
      std::vector<std::uint64_t> flipped;
      const Store opened = Store::open(store);
      opened.for_each_row(
          [&](const FaultRow& row) { flipped.push_back(oracle.space.number(*row.site)); });
      std::ranges::sort(replayed);
      EXPECT_EQ(flipped, replayed) << store;
    };
    for (const auto kind : {SearchKind::joint, SearchKind::separate}) {
      options.select = "binary-search";
      options.selection.search = kind;
      const std::string store = file(std::to_string(bits) + std::to_string(static_cast<int>(kind)));
      run(options, store, false, {}, bits);
      same(store, replay_binary_search(oracle, kind, false).order);
    }
    for (const auto method :
         {SamplingMethod::layer, SamplingMethod::unaware, SamplingMethod::aware}) {
      options.select = "statistical:" + to_string(method);
      const std::string store = file(options.select + std::to_string(bits));
      run(options, store, false, {}, bits);
      same(store, replay_sample(oracle, method, options.selection, 0).order);
    }
  }
}

TEST_F(AdaptiveTest, StrataCountByTheirPopulation) {
  run({}, file("all.db"));
  CampaignOptions options;
  options.select = "statistical:aware";
  options.selection.precision.error = 0.03;
  const CampaignSummary sample = run(options, file("sample.db"));
  const CampaignSummary all = summarize(file("all.db"));
  EXPECT_LT(sample.done, all.done / 2);
  // A plain mean is far off: most of the sample is of the bits that matter.
  const auto rows = table(csv(file("sample.db")));
  double critical = 0;
  for (std::size_t i = 1; i < rows.size(); ++i) critical += std::stod(rows[i][11]);
  const double plain = critical / (kSamples * static_cast<double>(rows.size() - 1));
  const double truth_of_all = all.critical->mean;
  EXPECT_GT(plain - truth_of_all, 5 * std::abs(sample.critical->mean - truth_of_all));
  EXPECT_LT(sample.critical->interval.lower, all.critical->mean);
  EXPECT_GT(sample.critical->interval.upper, all.critical->mean);
  EXPECT_NEAR(sample.critical->mean, all.critical->mean, 0.01);

  std::map<std::string, Rate> truth;
  for (const RateRow& row : rates(file("all.db"), Grouping::layer))
    truth[row.layer] = *row.critical;
  for (const RateRow& row : rates(file("sample.db"), Grouping::layer)) {
    EXPECT_LT(row.critical->interval.lower, truth[row.layer].mean) << row.layer;
    EXPECT_GT(row.critical->interval.upper, truth[row.layer].mean) << row.layer;
  }
  EXPECT_DOUBLE_EQ(rates(file("sample.db"), Grouping::model).front().critical->mean,
                   sample.critical->mean);
  EXPECT_THROW(rates(file("sample.db"), Grouping::weight), Error);
  EXPECT_THROW(rates(file("sample.db"), Grouping::channel), Error);
}

TEST_F(AdaptiveTest, WhatDecidesInOrderHasNoShards) {
  CampaignOptions options;
  options.select = "until:0.02";
  options.shard = {1, 2};
  EXPECT_NE(message_of([&] { run(options, file("a.db")); }).find("--shard"), std::string::npos);
  options.shard = {};
  options.score = "mse";
  for (const char* select : {"until:0.02", "binary-search"}) {
    options.select = select;
    EXPECT_NE(message_of([&] { run(options, file("a.db")); }).find("--critical"),
              std::string::npos);
  }
}

}  // namespace
}  // namespace flipscope
