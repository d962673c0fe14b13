// --arithmetic fast: every outcome that it promises is that of the exact campaign.
#include <gtest/gtest.h>

#include "flipscope/campaign/test_campaign.h"
#include "flipscope/engine/program.h"
#include "flipscope/engine/test_random_network.h"

namespace flipscope {
namespace {

using namespace testing;

using FastTest = InFolder;

/// The rows of a store, but with masked samples among the non-critical ones.
std::vector<std::vector<std::string>> without_masked(std::vector<std::vector<std::string>> rows) {
  for (std::size_t r = 1; r < rows.size(); ++r) {
    std::string& masked = rows[r][9];
    if (!masked.empty()) rows[r][10] = std::to_string(std::stoi(rows[r][10]) + std::stoi(masked));
    masked.clear();
  }
  return rows;
}

TEST_F(FastTest, OutcomesAndScoresAreThoseOfTheExactCampaign) {
  const std::atomic<bool> stop{false};
  std::uint64_t proved = 0, run = 0;
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    RandomNetwork random(seed);
    const Graph graph = random.make();
    const bool on_codes = !Program(graph).stages->empty();  // nothing is proved there
    Samples samples;
    samples.count = 70;
    samples.identity = "random";
    const Shape& shape = graph.values[graph.inputs[0]].shape;
    samples.shape.assign(shape.begin() + 1, shape.end());
    samples.values = random.samples(graph, 70);
    const auto rows = [&](Arithmetic arithmetic, const char* faults) {
      CampaignOptions options;
      options.arithmetic = arithmetic;
      options.faults = faults;
      options.score = "mispredict";
      if (FaultSpace(graph, {}).size() > 300) options.select = "random:300";
      const Plan plan(options, graph, samples, std::to_string(seed));
      const std::string store = file(fmt::format("{}{}.db", seed, static_cast<int>(arithmetic)));
      std::filesystem::remove(store);
      const CampaignSummary summary = run_plan(plan, options, store, {}, stop);
      EXPECT_EQ(summary.masked.has_value(), arithmetic == Arithmetic::exact);
      EXPECT_EQ(summary.work.pairs(), 70 * summary.rows);
      EXPECT_TRUE((arithmetic == Arithmetic::fast && !on_codes) || summary.work.proved == 0);
      proved += summary.work.proved;
      if (!on_codes) run += summary.work.whole;
      return table(csv(store));
    };
    for (const char* faults : {"bit-flip", "stuck-at-0", "burst:2"}) {
      ASSERT_EQ(rows(Arithmetic::fast, faults), without_masked(rows(Arithmetic::exact, faults)))
          << seed << " " << faults;
    }
  }
  EXPECT_GT(proved, run / 10);
}

/// x [1,1,6] times the first four columns of w [6,5]: [1,1,4] or, flat, [1,4]; and what is cut off
/// of w.
Graph product_of_a_part(bool flat) {
  GraphBuilder builder("test", Layout::channel_first);
  const Symbol x = builder.add_input("x", {1, 1, 6});
  Rearrange cut{.source = {}, .shape = {6, 4}};
  for (int i = 0; i < 24; ++i) cut.source.push_back(i / 4 * 5 + i % 4);
  const Symbol w = builder.add("cut", cut, {random_weights(builder, "w", {6, 5}, 1)});
  Symbol y = builder.add("product", MatrixProduct{}, {x, w});
  if (flat) y = builder.reshape(y, {1, 4});
  Graph graph = builder.finish("test", {y}, {"y"});
  lower(graph);
  return graph;
}

TEST_F(FastTest, ProductsOfHigherRankAndWordsThatAreCutOff) {
  for (const bool flat : {false, true}) {
    const Graph graph = product_of_a_part(flat);
    Samples samples;
    samples.count = 70;
    samples.identity = "some";
    samples.shape = {1, 6};
    samples.values.resize(70 * 6);
    Random random(3, 3);
    for (float& value : samples.values) value = static_cast<float>(random.uniform() - 0.5);
    std::vector<std::vector<std::string>> rows[2];
    for (const Arithmetic arithmetic : {Arithmetic::exact, Arithmetic::fast}) {
      CampaignOptions options;
      options.arithmetic = arithmetic;
      options.score = "mispredict";
      const Plan plan(options, graph, samples, "cut");
      const std::string store = file(fmt::format("{}{}.db", flat, static_cast<int>(arithmetic)));
      const std::atomic<bool> stop{false};
      EXPECT_EQ(run_plan(plan, options, store, {}, stop).done, 30u * 32);
      rows[arithmetic == Arithmetic::fast] = table(csv(store));
    }
    EXPECT_EQ(rows[1], without_masked(rows[0]));
  }
}

TEST_F(FastTest, AScoreThatWantsMoreThanDecisionsIsComputedExactly) {
  CampaignOptions options;
  options.score = "mse";
  options.select = "random:20";
  run(options, file("exact.db"));
  options.arithmetic = Arithmetic::fast;
  const CampaignSummary fast = run(options, file("fast.db"));
  EXPECT_EQ(csv(file("fast.db")), csv(file("exact.db")));
  EXPECT_TRUE(fast.masked);
  ASSERT_EQ(fast.notes.size(), 1u);
  EXPECT_NE(fast.notes[0].find("computed exactly"), std::string::npos);
}

TEST_F(FastTest, TheReferenceConfirmsWhatWasNotRun) {
  CampaignOptions options;
  options.arithmetic = Arithmetic::fast;
  options.select = "random:200";
  options.verify = 200;
  const CampaignSummary summary = run(options, file("run.db"));
  EXPECT_GT(summary.work.proved, 0u);
  EXPECT_EQ(summary.verified, 200);
}

}  // namespace
}  // namespace flipscope
