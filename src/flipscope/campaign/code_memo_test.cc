#include "flipscope/campaign/code_memo.h"

#include <gtest/gtest.h>

#include <string>

#include "flipscope/campaign/runner.h"
#include "flipscope/engine/test_random_network.h"
#include "flipscope/numeric/error.h"

namespace flipscope {
namespace {

constexpr BottleneckLimits kAny{.widest = 1000, .least_work = 0};

std::vector<FaultRow> rows_of(const Plan& plan, const std::optional<Bottleneck>& bottleneck,
                              int threads, std::size_t memory, WorkCounts& work) {
  const std::atomic<bool> stop{false};
  Runner runner(plan, memory, threads, stop, bottleneck);
  std::vector<FaultRow> rows;
  for (std::uint64_t chunk = 0; chunk < plan.chunks(); ++chunk) {
    const std::uint64_t first = chunk * plan.chunk_rows();
    const std::uint64_t count = std::min(plan.chunk_rows(), plan.selection().size() - first);
    const auto more = runner.run(first, count, {});
    rows.insert(rows.end(), more->begin(), more->end());
  }
  work = runner.work();
  return rows;
}

/// Runs the campaign to the output and by a bottleneck; every field must have the same bits.
WorkCounts expect_same_rows(const Plan& plan, const Bottleneck& bottleneck,
                            const std::string& what) {
  WorkCounts plain, work, again;
  const std::vector<FaultRow> expected = rows_of(plan, {}, 1, 0, plain);
  const std::vector<FaultRow> rows = rows_of(plan, bottleneck, 1, 0, work);
  const std::vector<FaultRow> elsewhere = rows_of(plan, bottleneck, 3, 1, again);
  const std::uint64_t pairs = expected.size() * static_cast<std::uint64_t>(plan.samples().count);
  EXPECT_EQ(plain, (WorkCounts{.whole = pairs})) << what;
  EXPECT_EQ(work.pairs(), pairs) << what;
  EXPECT_EQ(again, work) << what;
  EXPECT_EQ(rows.size(), expected.size());
  for (std::size_t f = 0; f < expected.size(); ++f) {
    EXPECT_TRUE(rows[f].same_as(expected[f])) << what << ", fault " << f;
    EXPECT_TRUE(elsewhere[f].same_as(expected[f])) << what << ", fault " << f;
  }
  return work;
}

Samples samples_of(testing::RandomNetwork& random, const Graph& graph, int count, Random& draw) {
  Samples samples;
  samples.count = count;
  const Shape& shape = graph.values[graph.inputs[0]].shape;
  samples.shape.assign(shape.begin() + 1, shape.end());
  samples.values = random.samples(graph, count);
  const std::int64_t classes = element_count(graph.values[graph.outputs[0]].shape);
  for (int s = 0; s < count; ++s) {
    samples.labels.push_back(static_cast<std::int32_t>(draw.below(classes)));
  }
  samples.identity = std::to_string(count);
  return samples;
}

TEST(CodeMemo, GivesTheRowsOfWholeRunsForEveryScoreAndFault) {
  struct Case {
    const char* score;
    const char* faults;
    std::vector<Part> parts;
    bool labels;
    const char* critical;
  };
  const std::vector<Case> cases{
      {"mispredict", "bit-flip", {Part::weights}, true, ""},
      {"mispredict", "bit-flip", {Part::weights, Part::biases}, false, ""},
      {"topk:1", "stuck-at-1", {Part::weights}, true, ""},
      {"accuracy", "multi:5", {Part::weights}, true, ""},
      {"mse", "bit-flip", {Part::weights, Part::activations}, false, "delta>0"},
      {"mae", "rate:0.01", {Part::weights, Part::inputs}, false, "score>=0.25"},
      {"mse", "burst:2", {Part::weights}, false, ""},
      {"mispredict", "bit-flip", {Part::operands}, false, ""},
  };
  int campaigns = 0;
  WorkCounts all;
  for (std::uint64_t seed = 0; seed < 80; ++seed) {
    testing::RandomNetwork random(seed);
    Graph graph = random.make();
    const Case& test = cases[campaigns % cases.size()];
    const std::string what = fmt::format("network {}, {} of {}", seed, test.score, test.faults);
    Random draw(seed, 2);
    Samples samples = samples_of(random, graph, 70 + static_cast<int>(seed % 3) * 29, draw);
    if (!test.labels) samples.labels.clear();
    CampaignOptions options;
    options.score = test.score;
    options.faults = test.faults;
    options.space.parts = test.parts;
    options.critical = test.critical;
    options.select = "random:60";
    options.seed = seed;
    std::optional<Plan> plan;
    try {
      plan.emplace(options, std::move(graph), std::move(samples), what);
    } catch (const Error&) {
      continue;  // this network has none of these, or fewer
    }
    const auto bottleneck = find_bottleneck(plan->graph(), plan->space().targets(), kAny);
    if (!bottleneck) continue;
    all += expect_same_rows(*plan, *bottleneck, what);
    ++campaigns;
  }
  EXPECT_GT(campaigns, 20);
  for (const std::uint64_t count : {all.unchanged, all.remembered, all.tail, all.whole}) {
    EXPECT_GT(count, 200u);
  }
}

TEST(CodeMemo, GivesTheRowsOfWholeRunsForTheAutoencoder) {
  const std::string folder = FLIPSCOPE_EXAMPLES;
  CampaignOptions options;
  options.model = folder + "/autoencoder.onnx";
  options.samples.inputs = folder + "/autoencoder_inputs.npy";
  options.samples.targets = "inputs";
  options.samples.first = 130;
  options.score = "emd";
  options.emd_cost = folder + "/cell_distance.csv";
  options.critical = "delta>0";
  WorkCounts all;
  for (const char* faults : {"bit-flip", "multi:2"}) {
    for (const char* layers : {"encoder*", "*"}) {
      options.faults = faults;
      options.space.layers = {layers};
      options.select = "random:200";
      const Plan plan(options);
      ASSERT_TRUE(plan.bottleneck());
      EXPECT_EQ(plan.graph().values[plan.bottleneck()->value].shape, (Shape{1, 8}));
      const WorkCounts work =
          expect_same_rows(plan, *plan.bottleneck(), fmt::format("{} in {}", faults, layers));
      EXPECT_EQ(work.whole > 0, layers == std::string("*"));
      all += work;
    }
  }
  for (const std::uint64_t count : {all.unchanged, all.remembered, all.tail})
    EXPECT_GT(count, 200u);
}

}  // namespace
}  // namespace flipscope
