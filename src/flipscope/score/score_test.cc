#include "flipscope/score/score.h"

#include <gtest/gtest.h>

#include <cmath>

#include "flipscope/model/csv.h"
#include "flipscope/numeric/test_data.h"
#include "flipscope/numeric/test_error.h"
#include "flipscope/numeric/test_folder.h"
#include "flipscope/score/test_special_values.h"

namespace flipscope {
namespace {

using Kind = ScoreSpec::Kind;

Samples some_samples(std::int64_t count) {
  Samples samples;
  samples.count = count;
  return samples;
}

Samples labelled(std::vector<std::int32_t> labels) {
  Samples samples = some_samples(std::ssize(labels));
  samples.labels = std::move(labels);
  return samples;
}

/// Rows of one sample each, brought into lanes.
std::vector<float> in_lanes(const std::vector<std::vector<float>>& rows, int lanes) {
  std::vector<float> out(rows[0].size() * lanes, 99);
  for (std::size_t l = 0; l < rows.size(); ++l) {
    for (std::size_t v = 0; v < rows[l].size(); ++v) out[v * lanes + l] = rows[l][v];
  }
  return out;
}

using Rows = std::vector<std::vector<float>>;

std::vector<double> scores(Scorer& scorer, const Rows& golden, const Rows& faulty) {
  const int lanes = static_cast<int>(golden.size()) + 3;
  const int samples = static_cast<int>(golden.size());
  const std::vector<float> before = in_lanes(golden, lanes);
  const std::vector<float> after = in_lanes(faulty, lanes);
  scorer.observe_golden(0, samples, before.data(), lanes);
  std::vector<double> score(samples);
  scorer.per_sample(0, samples, before.data(), after.data(), lanes, score.data());
  return score;
}

TEST(Score, Names) {
  EXPECT_EQ(parse_score("mispredict").kind, Kind::mispredict);
  EXPECT_EQ(parse_score("topk:5"), (ScoreSpec{.kind = Kind::topk, .k = 5}));
  EXPECT_EQ(parse_score("exec:./a:b c").program, "./a:b c");
  for (const char* text : {"mispredict", "topk:3", "accuracy", "mse", "mae", "emd", "exec:x"}) {
    EXPECT_EQ(to_string(parse_score(text)), text);
  }
  for (const char* text :
       {"", "topk", "topk:", "topk:0", "topk:-1", "topk:2x", "exec", "exec:", "mse:2", "MSE"}) {
    EXPECT_NE(message_of([&] { parse_score(text); }).find("topk:K"), std::string::npos) << text;
  }
}

TEST(Score, MispredictAgainstLabels) {
  const Samples samples = labelled({0, 1, 1});
  Scorer scorer({}, samples, 2);
  const Rows golden{{2, 1}, {2, 1}, {2, 3}};
  EXPECT_EQ(scores(scorer, golden, golden), (std::vector<double>{0, 1, 0}));
  EXPECT_EQ(scores(scorer, golden, {{1, 1}, {0, 1}, {kNan, 3}}), (std::vector<double>{0, 0, 1}));
  EXPECT_EQ(scorer.reduce(std::vector<double>{2, 3}), 5);
}

TEST(Score, MispredictAgainstTheGoldenDecision) {
  const Samples samples = some_samples(3);
  Scorer scorer({}, samples, 2);
  const Rows golden{{2, 1}, {1, 2}, {1, 2}};
  EXPECT_EQ(scores(scorer, golden, golden), (std::vector<double>{0, 0, 0}));
  EXPECT_EQ(scores(scorer, golden, {{1, 2}, {1, 5}, {1, kInf}}), (std::vector<double>{1, 0, 1}));
}

TEST(Score, TopK) {
  const Samples samples = labelled({2, 2, 0});
  Scorer scorer({.kind = Kind::topk, .k = 2}, samples, 3);
  const Rows out{{3, 1, 2}, {3, 2, 2}, {kInf, 1, 0}};
  EXPECT_EQ(scores(scorer, out, out), (std::vector<double>{0, 1, 1}));
}

TEST(Score, AccuracyIsAMean) {
  const Samples samples = labelled({0, 1});
  Scorer scorer({.kind = Kind::accuracy}, samples, 2);
  EXPECT_EQ(scores(scorer, {{2, 1}, {2, 1}}, {{2, 1}, {2, 1}}), (std::vector<double>{1, 0}));
  EXPECT_EQ(scores(scorer, {{2, 1}, {2, 1}}, {{kNan, 1}, {1, 2}}), (std::vector<double>{0, 1}));
  EXPECT_EQ(scorer.reduce(std::vector<double>{1}), 0.5);
}

TEST(Score, CountOnlyCorrect) {
  const Samples samples = labelled({0, 0, 0});
  Scorer scorer({}, samples, 2, {.only_correct = true});
  const Rows golden{{2, 1}, {1, 2}, {2, kNan}};
  EXPECT_EQ(scores(scorer, golden, {{1, 2}, {1, 2}, {1, 2}}), (std::vector<double>{1, 0, 0}));
  EXPECT_EQ(scorer.counts(), (std::vector<std::uint8_t>{1, 0, 0}));
  EXPECT_EQ(scorer.counted(), 1);
}

TEST(Score, DifferencesAgainstTargets) {
  Samples samples = some_samples(2);
  samples.targets = {1, 2, 3, 4};
  samples.target_size = 2;
  Scorer mse({.kind = Kind::mse}, samples, 2);
  Scorer mae({.kind = Kind::mae}, samples, 2);
  const Rows golden{{0, 0}, {0, 0}};
  const Rows faulty{{1, 5}, {1, 5}};
  EXPECT_EQ(scores(mse, golden, faulty), (std::vector<double>{4.5, 2.5}));
  EXPECT_EQ(scores(mae, golden, faulty), (std::vector<double>{1.5, 1.5}));
  EXPECT_TRUE(std::isnan(scores(mse, golden, {{kNan, 0}, {3, 4}})[0]));
  EXPECT_EQ(scores(mae, golden, {{-kInf, 0}, {3, 4}}), (std::vector<double>{kInf, 0}));
}

TEST(Score, DifferencesAgainstTheGoldenOutput) {
  const Samples samples = some_samples(1);
  Scorer mse({.kind = Kind::mse}, samples, 2);
  EXPECT_EQ(scores(mse, {{1, 2}}, {{1, 4}}), std::vector<double>{2});
}

EmdSettings line_of_three() {
  return {GroundDistance("line", 3, {0, 1, 2, 1, 0, 1, 2, 1, 0}), {}};
}

TEST(Score, EmdAndItsSpecialCases) {
  Samples samples = some_samples(6);
  samples.targets = {1, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0, 0, 1, 1, 0, -3, 0, 1};
  samples.target_size = 3;
  Scorer scorer({.kind = Kind::emd}, samples, 3, {.emd = line_of_three()});
  const Rows golden(6, {1, 1, 1});
  const Rows faulty{{0, 0, 5}, {0, 1, 0}, {0, 0, 0}, {1, kNan, 0}, {-7, 1, 0}, {0, 0, 2}};
  EXPECT_EQ(scores(scorer, golden, faulty), (std::vector<double>{2, 0, 2, 2, 0.5, 0}));
  EXPECT_EQ(scorer.counts(), (std::vector<std::uint8_t>{1, 0, 1, 1, 1, 1}));
  EXPECT_EQ(scorer.reduce(std::vector<double>{6.5}), 1.3);

  EmdSettings sentinels = line_of_three();
  sentinels.fkeras_sentinels = true;
  Scorer reference({.kind = Kind::emd}, samples, 3, {.emd = sentinels});
  EXPECT_EQ(scores(reference, golden, faulty), (std::vector<double>{2, -1, -0.5, 2, 0.5, 0}));
  EXPECT_EQ(reference.counted(), 6);
}

TEST(Score, EmdCellsNameOutputs) {
  const Samples samples = some_samples(1);
  EmdSettings settings = line_of_three();
  settings.cells = {4, 0, 2};
  Scorer scorer({.kind = Kind::emd}, samples, 5, {.emd = settings});
  const Rows golden{{0, 9, 0, 9, 1}};
  const Rows faulty{{0, 7, 2, 7, 0}};
  EXPECT_EQ(scores(scorer, golden, faulty), std::vector<double>{2});
}

TEST(Score, CopiesScoreAlike) {
  const Samples samples = some_samples(1);
  auto first = std::make_unique<Scorer>(ScoreSpec{.kind = Kind::emd}, samples, 3,
                                        ScorerOptions{.emd = line_of_three()});
  Scorer copy(*first);
  first.reset();
  EXPECT_EQ(scores(copy, {{1, 0, 0}}, {{0, 1, 1}}), std::vector<double>{1.5});
}

TEST(Score, SaysWhatIsMissing) {
  const auto message = [](const ScoreSpec& spec, const Samples& samples, int values,
                          const ScorerOptions& options = {}) {
    return message_of([&] { Scorer(spec, samples, values, options); });
  };
  const auto has = [](const std::string& text, const char* part) {
    return text.find(part) != std::string::npos;
  };
  const Samples plain = some_samples(2);
  Samples with_targets = plain;
  with_targets.targets = {1, 2, 3, 4};
  with_targets.target_size = 2;
  EmdSettings bad_map = line_of_three();
  bad_map.cells = {0, 1, 7};
  EXPECT_TRUE(has(message({}, plain, 1), "at least 2 outputs"));
  EXPECT_TRUE(has(message({}, labelled({0, 5}), 3), "labels are 0 to 2"));
  EXPECT_TRUE(has(message({.kind = Kind::accuracy}, plain, 3), "--labels"));
  EXPECT_TRUE(has(message({.kind = Kind::topk, .k = 3}, plain, 3), "at most 2"));
  EXPECT_TRUE(has(message({}, plain, 3, {.only_correct = true}), "--labels"));
  EXPECT_TRUE(has(message({.kind = Kind::mse}, with_targets, 3), "targets have 2"));
  EXPECT_TRUE(has(message({.kind = Kind::emd}, plain, 3), "--emd-cost"));
  EXPECT_TRUE(has(message({.kind = Kind::emd}, plain, 4, {.emd = line_of_three()}), "--emd-cells"));
  EXPECT_TRUE(has(message({.kind = Kind::emd}, plain, 3, {.emd = bad_map}), "output element 7"));
}

/// Trigger cell → pixel of the 8 × 8 image.
constexpr const char* kCells =
    "4,12,20,28,5,13,21,29,6,14,22,30,7,15,23,31,24,25,26,27,16,17,18,19,8,9,10,11,0,1,2,3,"
    "59,51,43,35,58,50,42,34,57,49,41,33,56,48,40,32";

/// Scores the published network's outputs for 32 sensor readings; the expected distances come from
/// an independent program.
void expect_published_distances(const std::string& size, const std::string& targets) {
  FLIPSCOPE_NEEDS_DATA(metric, "hgcal/hex_metric_48x48.csv");
  FLIPSCOPE_NEEDS_DATA(input_file, "econt/fixtures/" + targets);
  FLIPSCOPE_NEEDS_DATA(output_file, "econt/fixtures/calq32_" + size + "_output.csv");
  FLIPSCOPE_NEEDS_DATA(emd_file, "econt/fixtures/calq32_" + size + "_emd.csv");
  const Tensor inputs = read_csv(input_file);
  const Tensor outputs = read_csv(output_file);
  const Tensor expected = read_csv(emd_file);
  ASSERT_EQ(outputs.shape, (Shape{32, 64}));
  Samples samples = some_samples(32);
  samples.targets.assign(inputs.data.begin(), inputs.data.end());
  samples.target_size = inputs.shape[1];
  Scorer scorer({.kind = Kind::emd}, samples, 64,
                {.emd = EmdSettings{read_ground_distance(metric),
                                    read_cell_map(temporary_file("cells.csv", kCells))}});
  Rows rows;
  for (int r = 0; r < 32; ++r) {
    rows.emplace_back(outputs.data.begin() + 64 * r, outputs.data.begin() + 64 * (r + 1));
  }
  const std::vector<double> score = scores(scorer, rows, rows);
  for (int r = 0; r < 32; ++r) EXPECT_NEAR(score[r], expected.data[r], 1e-6) << "row " << r;
  EXPECT_NEAR(leaf_sum(score) / 32, leaf_sum(expected.data) / 32, 1e-7);
}

/// Without the rounding of outputs to float32, against HiGHS (whose dual solution has the same
/// value).
TEST(ScoreEcont, DistancesInDouble) {
  FLIPSCOPE_NEEDS_DATA(metric, "hgcal/hex_metric_48x48.csv");
  FLIPSCOPE_NEEDS_DATA(input_file, "econt/fixtures/calq32_input_calq.csv");
  FLIPSCOPE_NEEDS_DATA(output_file, "econt/fixtures/calq32_small_output.csv");
  const Tensor inputs = read_csv(input_file);
  const Tensor outputs = read_csv(output_file);
  const std::vector<int> cells = read_cell_map(temporary_file("cells.csv", kCells));
  const GroundDistance cost = read_ground_distance(metric);
  EmdSolver emd(cost);
  constexpr std::pair<int, double> kExpected[] = {{0, 1.2373890876942015},
                                                  {5, 1.35103477235956},
                                                  {7, 1.4945995822301774},
                                                  {31, 1.1060470770629716}};
  for (const auto& [row, expected] : kExpected) {
    std::vector<double> q;
    for (const int cell : cells) q.push_back(outputs.data[64 * row + cell]);
    EXPECT_NEAR(emd(&inputs.data[48 * row], q.data()), expected, 1e-9) << "row " << row;
  }
}

TEST(ScoreEcont, Medium) {
  expect_published_distances("medium", "calq32_input_8x8.csv");
}
TEST(ScoreEcont, Small) {
  expect_published_distances("small", "calq32_input_8x8.csv");
}
TEST(ScoreEcont, TargetsByCell) {
  expect_published_distances("medium", "calq32_input_calq.csv");
}

}  // namespace
}  // namespace flipscope
