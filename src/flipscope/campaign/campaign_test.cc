#include "flipscope/campaign/campaign.h"

#include <algorithm>
#include <cmath>
#include <fstream>

#include "flipscope/campaign/database.h"
#include "flipscope/campaign/test_campaign.h"
#include "flipscope/numeric/test_data.h"

namespace flipscope {
namespace {

using namespace testing;

class CampaignTest : public InFolder {};

TEST_F(CampaignTest, RowsAreTheSameForAnyThreadsMemoryAndShards) {
  CampaignOptions options;
  options.threads = 1;
  const CampaignSummary summary = run(options, file("one.db"));
  const std::string expected = csv(file("one.db"));
  EXPECT_EQ(summary.done, summary.rows);
  EXPECT_EQ(summary.rows, 9024u);
  for (const int threads : {2, 3}) {
    options.threads = threads;
    options.memory = threads == 3 ? 1 : 0;  // one block at a time
    const std::string store = file(std::to_string(threads) + ".db");
    run(options, store);
    EXPECT_EQ(csv(store), expected) << threads;
  }
  std::vector<std::string> shards;
  for (int k = 1; k <= 3; ++k) {
    options.shard = {k, 3};
    shards.push_back(file("shard" + std::to_string(k) + ".db"));
    const CampaignSummary part = run(options, shards.back());
    EXPECT_EQ(part.done, part.wanted);
    EXPECT_LT(part.done, part.rows);
  }
  const CampaignSummary merged = merge_stores(shards, file("merged.db"));
  EXPECT_EQ(merged.done, merged.rows);
  EXPECT_TRUE(merged.notes.empty());
  EXPECT_EQ(csv(file("merged.db")), expected);
  EXPECT_FALSE(std::filesystem::exists(file("merged.db-wal")));
}

TEST_F(CampaignTest, EveryPairHasOneOutcome) {
  run({}, file("run.db"));
  const auto rows = table(csv(file("run.db")));
  ASSERT_EQ(rows.front().size(), 15u);
  EXPECT_EQ(rows.front().front(), "fault");
  std::uint64_t critical = 0, due = 0;
  for (std::size_t i = 1; i < rows.size(); ++i) {
    const auto number = [&](int column) { return std::stoull(rows[i][column]); };
    ASSERT_EQ(number(0), i - 1);
    ASSERT_EQ(number(9) + number(10) + number(11) + number(12), 150u);
    ASSERT_EQ(number(4) + number(5), 31u);
    // Without labels, mispredicted are those whose decision changed, and those without one.
    ASSERT_EQ(rows[i][13], std::to_string(number(11) + number(12)));
    ASSERT_EQ(rows[i][14], rows[i][13]);
    critical += number(11);
    due += number(12);
  }
  EXPECT_GT(critical, 0u);
  EXPECT_GT(due, 0u);
  const CampaignSummary summary = summarize(file("run.db"));
  ASSERT_TRUE(summary.critical);
  EXPECT_DOUBLE_EQ(summary.critical->mean, static_cast<double>(critical) / (9024.0 * 150));
  // All faults of the space were made: nothing is left to be uncertain about.
  EXPECT_DOUBLE_EQ(summary.critical->interval.lower, summary.critical->interval.upper);
}

TEST_F(CampaignTest, TheReferenceAgrees) {
  for (const int bits : {0, 5}) {
    for (const char* kind : {"bit-flip", "stuck-at-1", "burst:2", "multi:7", "rate:0.01"}) {
      for (const auto& parts :
           {std::vector{Part::weights, Part::biases}, std::vector{Part::activations},
            std::vector{Part::inputs, Part::operands}}) {
        CampaignOptions options;
        options.faults = kind;
        options.select = "random:40";
        options.space.parts = parts;
        options.verify = 4;
        const std::string store = file(std::to_string(bits) + kind + to_string(parts[0]) + ".db");
        EXPECT_EQ(run(options, store, false, {}, bits).verified, 4);
      }
    }
  }
}

TEST_F(CampaignTest, VerifyFindsAWrongRow) {
  CampaignOptions options;
  options.select = "random:5";
  run(options, file("run.db"));
  Database::open_or_create(file("run.db"))
      .execute("UPDATE fault SET masked = masked + 1 WHERE fault = 3");
  options.verify = 5;
  EXPECT_THROW(run(options, file("run.db")), VerificationError);
}

TEST_F(CampaignTest, ProtectedBitsDoNothing) {
  export_sites(
      [&] {
        CampaignOptions all;
        all.space.layers = {"fc2"};
        run(all, file("all.db"));
        return file("all.db");
      }(),
      file("sites.csv"));
  CampaignOptions options;
  options.protect = file("sites.csv");
  run(options, file("run.db"));
  for (const RateRow& row : rates(file("run.db"), Grouping::layer)) {
    EXPECT_EQ(row.masked->mean == 1, row.layer == "fc2") << row.layer;
  }
}

TEST_F(CampaignTest, StuckBitsThatHaveTheirValueAreMasked) {
  CampaignOptions options;
  options.faults = "stuck-at-0";
  run(options, file("run.db"));
  std::size_t same = 0;
  const auto rows = table(csv(file("run.db")));
  for (std::size_t i = 1; i < rows.size(); ++i) {
    if (rows[i][6] != rows[i][7]) continue;
    ++same;
    ASSERT_EQ(rows[i][9], "150");
  }
  EXPECT_GT(same, 1000u);
  EXPECT_LT(same, 8000u);
}

TEST_F(CampaignTest, WithoutADecisionCriticalIsEmptyOrAsked) {
  CampaignOptions options;
  options.score = "mse";
  options.space.layers = {"fc2"};
  run(options, file("mse.db"));
  EXPECT_FALSE(summarize(file("mse.db")).critical);
  EXPECT_EQ(table(csv(file("mse.db")))[1][11], "");
  options.critical = "delta>0.001";
  run(options, file("asked.db"));
  const CampaignSummary asked = summarize(file("asked.db"));
  ASSERT_TRUE(asked.critical);
  EXPECT_GT(asked.critical->mean, 0);
  EXPECT_LT(asked.critical->mean, 1);
  EXPECT_TRUE(is_broken(parse_bar("sdc>0.001"), asked));
  EXPECT_FALSE(is_broken(parse_bar("sdc>0.999"), asked));
  EXPECT_THROW(is_broken(parse_bar("sdc>0.1"), summarize(file("mse.db"))), Error);
}

TEST_F(CampaignTest, ABarWithoutADecisionIsRefusedBeforeTheRun) {
  CampaignOptions options;
  options.score = "mse";
  options.bar = parse_bar("sdc>0.1");
  EXPECT_EQ(
      message_of([&] { run(options, file("run.db")); }),
      "[campaign] --fail-if sdc: nothing here says which outputs are critical; give --labels, "
      "or --critical with a condition such as 'delta>0'");
  EXPECT_FALSE(std::filesystem::exists(file("run.db")));
  options.bar = parse_bar("due>0.1");
  run(options, file("due.db"), true);
  options.bar = parse_bar("sdc>0.1");
  options.critical = "delta>0";
  run(options, file("critical.db"), true);
  options.critical.clear();
  options.score = "mispredict";
  run(options, file("decision.db"), true);
}

TEST_F(CampaignTest, AProgramCanScore) {
  CampaignOptions options;
  options.score = "exec:wc -c <";  // 128 bytes of header, then the outputs
  options.select = "random:12";
  options.critical = "score>100";
  run(options, file("run.db"));
  const CampaignSummary summary = summarize(file("run.db"));
  EXPECT_EQ(*summary.golden_score, 128 + 4 * 150 * 3);
  for (const auto& row : table(csv(file("run.db")))) {
    if (row[0] == "fault") continue;
    EXPECT_EQ(row[13], "1928");
    EXPECT_EQ(row[14], "0");
    EXPECT_EQ(row[10], "0");  // all that is neither masked nor DUE is critical
  }
  options.score = "exec:false";
  EXPECT_EQ(message_of([&] { run(options, file("false.db")); }),
            "[score] --score exec: 'false' failed with exit status 1");
  options.score = "exec:echo none";
  EXPECT_NE(message_of([&] { run(options, file("none.db")); }).find("printed no number"),
            std::string::npos);
}

TEST_F(CampaignTest, AgreesWithPublishedFlipsOfResNet20) {
  FLIPSCOPE_NEEDS_DATA(model, "resnet_cifar10/resnet20.onnx");
  FLIPSCOPE_NEEDS_DATA(images, "cifar10/test_batch_first1017.bin");
  FLIPSCOPE_NEEDS_DATA(published, "faultlists/ResNet20_FL.csv");
  constexpr int kFaults = 16, kImages = 192;
  // Injection,Layer,"(m, c, y, x)",Bit,n_injections,masked,non_critical,critical
  std::vector<double> shares;
  {
    std::ifstream whole(published);
    std::ofstream part(file("list.csv"));
    std::string line;
    for (int i = -1; i < kFaults && std::getline(whole, line); ++i) {
      part << line << '\n';
      if (i >= 0) shares.push_back(std::stod(line.substr(line.rfind(',') + 1)) / 10'000);
    }
  }
  CampaignOptions options;
  options.model = model;
  options.samples.inputs = images;
  options.samples.scale = 1.0 / 255;
  options.samples.mean = {.4914, .4822, .4465};
  options.samples.std = {.2023, .1994, .2010};
  options.samples.first = kImages;
  options.select = "list:" + file("list.csv");
  const std::atomic<bool> stop{false};
  run_campaign(options, file("run.db"), {}, stop);
  const auto rows = table(csv(file("run.db")));
  ASSERT_EQ(rows.size(), 1u + kFaults);
  for (int i = 0; i < kFaults; ++i) {
    if (rows[i + 1][12] != "0") continue;  // DUE, which the list counts by what NaN decides there
    const double share = std::stod(rows[i + 1][11]) / kImages;
    const double deviation = std::sqrt(std::max(shares[i] * (1 - shares[i]), 1e-3) / kImages);
    EXPECT_NEAR(share, shares[i], 4 * deviation) << "fault " << i;
  }
}

}  // namespace
}  // namespace flipscope
