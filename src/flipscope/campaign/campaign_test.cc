#include "flipscope/campaign/campaign.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "flipscope/campaign/export.h"
#include "flipscope/campaign/run_plan.h"
#include "flipscope/fault/test_graph.h"
#include "flipscope/numeric/error.h"
#include "flipscope/numeric/test_data.h"

namespace flipscope {
namespace {

namespace fs = std::filesystem;
using testing::small_inputs;
using testing::small_network;

constexpr std::int64_t kSamples = 150;  // two full blocks and a ragged one

std::string read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

Samples make_samples(std::int64_t count) {
  Samples samples;
  samples.count = count;
  samples.shape = {2, 5, 4};
  samples.values = small_inputs(count);
  samples.identity = std::to_string(count);
  return samples;
}

CampaignSummary run(const CampaignOptions& options, const std::string& store, bool stop = false,
                    const Progress& progress = {}, int bits = 0) {
  const std::atomic<bool> flag{stop};
  const Plan plan(options, small_network(bits), make_samples(kSamples),
                  "model" + std::to_string(bits));
  return run_plan(plan, options, store, progress, flag);
}

class CampaignTest : public ::testing::Test {
 protected:
  CampaignTest() {
    std::string pattern = ::testing::TempDir() + "campaign-XXXXXX";
    folder_ = mkdtemp(pattern.data());
  }
  ~CampaignTest() override { fs::remove_all(folder_); }

  std::string file(const std::string& name) const { return folder_ + "/" + name; }

  std::string csv(const std::string& store) const {
    const std::string out = file("rows.csv");
    export_csv(store, out);
    return read(out);
  }

  static std::string message(const std::function<void()>& action) {
    try {
      action();
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  }

  std::string folder_;
};

std::vector<std::vector<std::string>> table(const std::string& text) {
  std::vector<std::vector<std::string>> rows;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::vector<std::string> row(1);
    for (const char c : line) {
      if (c == ',') {
        row.emplace_back();
      } else {
        row.back() += c;
      }
    }
    rows.push_back(row);
  }
  return rows;
}

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
  EXPECT_FALSE(fs::exists(file("merged.db-wal")));
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
  sqlite3* database = nullptr;
  sqlite3_open(file("run.db").c_str(), &database);
  sqlite3_exec(database, "UPDATE fault SET masked = masked + 1 WHERE fault = 3", nullptr, nullptr,
               nullptr);
  sqlite3_close(database);
  options.verify = 5;
  EXPECT_THROW(run(options, file("run.db")), VerificationError);
}

TEST_F(CampaignTest, AStopLeavesAStoreThatResumes) {
  run({}, file("whole.db"));
  const CampaignSummary stopped = run({}, file("run.db"), true);
  EXPECT_TRUE(stopped.interrupted);
  EXPECT_EQ(stopped.done, 0u);
  std::uint64_t last = 0;
  const CampaignSummary resumed =
      run({}, file("run.db"), false, [&](std::uint64_t done, std::uint64_t total, double) {
        EXPECT_GE(done, last);
        EXPECT_EQ(total, 9024u);
        last = done;
      });
  EXPECT_FALSE(resumed.interrupted);
  EXPECT_EQ(last, 9024u);
  EXPECT_EQ(csv(file("run.db")), csv(file("whole.db")));
  EXPECT_EQ(run({}, file("run.db")).run_now, 0u);
}

// The child of the next test: a campaign in a process of its own, so that it can be killed.
TEST(CampaignChild, DISABLED_Runs) {
  const char* const store = std::getenv("FLIPSCOPE_TEST_STORE");
  if (store == nullptr) GTEST_SKIP() << "runs as the child of SurvivesAKillAtAnyMoment";
  run({}, store);
}

TEST_F(CampaignTest, SurvivesAKillAtAnyMoment) {
  run({}, file("whole.db"));
  const std::string store = file("killed.db");
  const auto run_child = [&](int milliseconds) {
    const pid_t child = fork();
    if (child == 0) {
      const int nowhere = open("/dev/null", O_WRONLY);
      dup2(nowhere, STDOUT_FILENO);
      setenv("FLIPSCOPE_TEST_STORE", store.c_str(), 1);
      execl("/proc/self/exe", "campaign_test", "--gtest_filter=CampaignChild.*",
            "--gtest_also_run_disabled_tests", static_cast<char*>(nullptr));
      _exit(127);
    }
    if (milliseconds >= 0) {
      std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
      kill(child, SIGKILL);
    }
    int status = 0;
    waitpid(child, &status, 0);
    return status;
  };
  for (int milliseconds = 10; milliseconds < 400; milliseconds += 45) run_child(milliseconds);
  EXPECT_EQ(run_child(-1), 0);
  EXPECT_EQ(csv(store), csv(file("whole.db")));
}

TEST_F(CampaignTest, RefusesForeignStoresInOneLine) {
  run({}, file("run.db"));
  CampaignOptions other;
  other.faults = "stuck-at-0";
  EXPECT_EQ(message([&] { run(other, file("run.db")); }),
            "[store] " + file("run.db") +
                " holds another campaign: it has --faults 'bit-flip', not 'stuck-at-0'; give "
                "--store another name");
  EXPECT_NE(message([&] { run({}, file("run.db"), false, {}, 5); }).find("its model file differs"),
            std::string::npos);

  std::ofstream(file("text.db")) << std::string(5000, 'x');
  EXPECT_NE(message([&] { run({}, file("text.db")); }).find("is not a Flipscope store"),
            std::string::npos);
  EXPECT_EQ(read(file("text.db")), std::string(5000, 'x'));
  EXPECT_NE(message([&] { summarize(file("text.db")); }).find("is not a Flipscope store"),
            std::string::npos);

  sqlite3* database = nullptr;
  sqlite3_open(file("other.db").c_str(), &database);
  sqlite3_exec(database, "CREATE TABLE t(x)", nullptr, nullptr, nullptr);
  sqlite3_close(database);
  EXPECT_NE(message([&] { run({}, file("other.db")); }).find("another program's database"),
            std::string::npos);

  EXPECT_NE(message([&] { run({}, folder_); }).find("is not a regular file"), std::string::npos);
  EXPECT_NE(message([&] { run({}, file("no/such/folder.db")); }).find("cannot be opened"),
            std::string::npos);
  EXPECT_NE(message([&] { summarize(file("none.db")); }).find("there is no store"),
            std::string::npos);

  sqlite3_open(file("run.db").c_str(), &database);
  sqlite3_exec(database, "PRAGMA user_version = 99", nullptr, nullptr, nullptr);
  sqlite3_close(database);
  EXPECT_NE(message([&] { summarize(file("run.db")); }).find("store version 99"),
            std::string::npos);
}

TEST_F(CampaignTest, MergeRefusesWhatDoesNotBelong) {
  CampaignOptions options;
  options.shard = {1, 2};
  run(options, file("a.db"));
  options.seed = 1;
  run(options, file("b.db"));
  EXPECT_NE(message([&] {
              merge_stores({file("a.db"), file("b.db")}, file("m.db"));
            }).find("different campaigns"),
            std::string::npos);
  EXPECT_FALSE(fs::exists(file("m.db")));
  // Twice the same shard is half a campaign, and the note says so.
  const CampaignSummary half = merge_stores({file("a.db"), file("a.db")}, file("m.db"));
  EXPECT_LT(half.done, half.rows);
  EXPECT_EQ(half.notes.size(), 2u);
  options.seed = 0;
  options.shard = {};
  EXPECT_EQ(run(options, file("m.db")).done, half.rows);  // and the merged store resumes
  EXPECT_NE(message([&] { merge_stores({file("a.db")}, file("m.db")); }).find("exists already"),
            std::string::npos);
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
  EXPECT_THROW(parse_bar("sdc<0.1"), Error);
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
  EXPECT_EQ(message([&] { run(options, file("false.db")); }),
            "[score] --score exec: 'false' failed with exit status 1");
  options.score = "exec:echo none";
  EXPECT_NE(message([&] { run(options, file("none.db")); }).find("printed no number"),
            std::string::npos);
}

TEST_F(CampaignTest, TrialsHaveSitesApart) {
  CampaignOptions options;
  options.faults = "multi:5";
  options.select = "random:30";
  run(options, file("run.db"));
  EXPECT_EQ(csv(file("run.db")).substr(0, 200).find("\n0,,,,,,,,150,") != std::string::npos, true);
  export_sites(file("run.db"), file("sites.csv"));
  EXPECT_EQ(table(read(file("sites.csv"))).size(), 1u + 30 * 5);
  EXPECT_EQ(rates(file("run.db"), Grouping::model).front().faults, 30u);
  EXPECT_THROW(rates(file("run.db"), Grouping::bit), Error);
  EXPECT_THROW(export_fault_list(file("run.db"), file("list.csv")), Error);
  EXPECT_FALSE(fs::exists(file("list.csv")));
}

TEST_F(CampaignTest, AListOfItsOwnExportGivesTheSameRows) {
  CampaignOptions options;
  options.select = "random:300";
  run(options, file("run.db"));
  export_fault_list(file("run.db"), file("list.csv"));
  options.select = "list:" + file("list.csv");
  run(options, file("listed.db"));
  EXPECT_EQ(csv(file("run.db")), csv(file("listed.db")));
  // Rows of a list were not drawn: no finite population narrows their interval.
  EXPECT_LT(summarize(file("run.db")).masked->interval.upper -
                summarize(file("run.db")).masked->interval.lower,
            summarize(file("listed.db")).masked->interval.upper -
                summarize(file("listed.db")).masked->interval.lower);
}

TEST_F(CampaignTest, GroupsAddUp) {
  CampaignOptions options;
  options.select = "random:3000";
  run(options, file("run.db"));
  const double total = summarize(file("run.db")).critical->mean * 3000;
  for (const Grouping by :
       {Grouping::bit, Grouping::weight, Grouping::channel, Grouping::layer, Grouping::model}) {
    double sum = 0;
    std::uint64_t faults = 0;
    for (const RateRow& row : rates(file("run.db"), by)) {
      sum += row.critical->mean * static_cast<double>(row.faults);
      faults += row.faults;
      EXPECT_LE(row.faults, row.population);
      EXPECT_LE(row.critical->interval.lower, row.critical->mean + 1e-12);
      EXPECT_GE(row.critical->interval.upper, row.critical->mean - 1e-12);
    }
    EXPECT_EQ(faults, 3000u);
    EXPECT_NEAR(sum, total, 1e-9);
  }
  const auto channels = rates(file("run.db"), Grouping::channel);
  EXPECT_EQ(channels.size(), 4u + 6 + 3);
  EXPECT_EQ(channels.front().population, 32u * 2 * 3 * 2);
}

TEST_F(CampaignTest, NpzHoldsTheColumns) {
  CampaignOptions options;
  options.select = "random:5";
  run(options, file("run.db"));
  export_npz(file("run.db"), file("a.npz"));
  const std::string bytes = read(file("a.npz"));
  EXPECT_EQ(bytes.substr(0, 2), "PK");
  EXPECT_NE(bytes.find("non_critical.npy"), std::string::npos);
  export_npz(file("run.db"), file("b.npz"));
  EXPECT_EQ(read(file("b.npz")), bytes);
  EXPECT_THROW(export_npz(file("run.db"), ""), Error);
  EXPECT_NE(message([&] { export_csv(file("run.db"), file("no/rows.csv")); }).find("cannot be"),
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

TEST(CampaignOptionsText, ReadsSizesAndShards) {
  EXPECT_EQ(parse_memory("2K"), 2048u);
  EXPECT_EQ(parse_memory("1.5GiB"), 1610612736u);
  EXPECT_EQ(parse_memory("3MB"), 3000000u);
  EXPECT_EQ(parse_memory("1e3"), 1000u);
  for (const char* text : {"", "x", "-1", "0", "1X", "nan", "1e30"}) {
    EXPECT_THROW(parse_memory(text), Error) << text;
  }
  EXPECT_EQ(parse_shard("2/8").count, 8);
  for (const char* text : {"", "0/2", "3/2", "1", "1/", "a/b", "1/2x"}) {
    EXPECT_THROW(parse_shard(text), Error) << text;
  }
}

}  // namespace
}  // namespace flipscope
