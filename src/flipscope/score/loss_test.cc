#include "flipscope/score/loss.h"

#include <gtest/gtest.h>

#include <cmath>

#include "flipscope/numeric/dual.h"
#include "flipscope/numeric/random.h"
#include "flipscope/numeric/test_error.h"
#include "flipscope/numeric/test_folder.h"

namespace flipscope {
namespace {

constexpr int kOutputs = 4, kLanes = 4, kSamples = 3;

Samples some_samples() {
  Samples samples;
  samples.count = kSamples;
  samples.labels = {2, 0, 3};
  samples.target_size = kOutputs;
  Random random(1);
  for (int i = 0; i < kSamples * kOutputs; ++i) {
    samples.targets.push_back(static_cast<float>(random.uniform()));
  }
  return samples;
}

template <typename Action>
bool says(const Action& action, const char* words) {
  const std::string message = message_of(action);
  return is_one_line(message) && message.find(words) != std::string::npos;
}

std::vector<LossSpec> all_losses() {
  const std::string file = temporary_file("loss_groups.csv",
                                          "level,factor,group,weight,element\n"
                                          "1,4,0,1,0\n1,4,1,1,3\n2,0.5,0,2,0\n2,0.5,0,2,1\n");
  return {{LossSpec::Kind::mse}, {LossSpec::Kind::cross_entropy}, {LossSpec::Kind::groups, file}};
}

std::vector<double> some_outputs(std::uint64_t stream) {
  Random random(2, stream);
  std::vector<double> outputs(kOutputs * kLanes);
  for (double& y : outputs) y = 2 * random.uniform() - 0.5;
  return outputs;
}

TEST(Loss, ValuesWorkedOutByHand) {
  Samples samples;
  samples.count = 1;
  samples.labels = {1};
  samples.targets = {1, 3, 2};
  samples.target_size = 3;
  const std::vector<double> y{2, 1, 2};
  std::vector<double> to(3);
  EXPECT_DOUBLE_EQ(Loss({LossSpec::Kind::mse}, samples, 3).derive(0, 1, y.data(), 1, to.data()),
                   5.0 / 3);
  EXPECT_DOUBLE_EQ(
      Loss({LossSpec::Kind::cross_entropy}, samples, 3).derive(0, 1, y.data(), 1, to.data()),
      std::log(2 * std::exp(2) + std::exp(1)) - 1);
  const std::string file =
      temporary_file("hand.csv", "1,4,7,1,0\n1,4,8,0.5,1\n2,1,0,1,0\n2,1,0,1,1\n");
  // Level 1: 4·((1²·2) + 0.5·(2²·3))/2; level 2: (3 − 4)²·4.
  EXPECT_DOUBLE_EQ(
      Loss({LossSpec::Kind::groups, file}, samples, 3).derive(0, 1, y.data(), 1, to.data()),
      4 * (2 + 6) / 2.0 + 4);
}

TEST(Loss, DerivativesAreWhatFiniteDifferencesSay) {
  const Samples samples = some_samples();
  constexpr double kStep = 1e-6;
  for (const LossSpec& spec : all_losses()) {
    SCOPED_TRACE(to_string(spec));
    const Loss loss(spec, samples, kOutputs);
    const std::vector<double> y = some_outputs(1), direction = some_outputs(2);
    std::vector<double> gradient(y.size()), up(y.size()), down(y.size());
    std::vector<Dual> dual, dual_gradient(y.size());
    auto above = y, below = y;
    for (std::size_t i = 0; i < y.size(); ++i) {
      dual.emplace_back(y[i], direction[i]);
      above[i] += kStep * direction[i];
      below[i] -= kStep * direction[i];
    }
    loss.derive(0, kSamples, y.data(), kLanes, gradient.data());
    const double rise = loss.derive(0, kSamples, above.data(), kLanes, up.data()) -
                        loss.derive(0, kSamples, below.data(), kLanes, down.data());
    loss.derive(0, kSamples, dual.data(), kLanes, dual_gradient.data());
    double slope = 0;
    for (std::size_t i = 0; i < y.size(); ++i) {
      slope += gradient[i] * direction[i];
      EXPECT_DOUBLE_EQ(dual_gradient[i].value, gradient[i]);
      EXPECT_NEAR(dual_gradient[i].tangent, (up[i] - down[i]) / (2 * kStep), 1e-8);
    }
    EXPECT_NEAR(slope, rise / (2 * kStep), 1e-8);
    EXPECT_EQ(gradient[kSamples], 0) << "a lane without a sample";
  }
}

TEST(Loss, ProbesHaveTheLossesCurvature) {
  const Samples samples = some_samples();
  for (const LossSpec& spec : all_losses()) {
    SCOPED_TRACE(to_string(spec));
    const Loss loss(spec, samples, kOutputs);
    const std::vector<double> y = some_outputs(3), direction = some_outputs(4);
    std::vector<Dual> dual, gradient(y.size());
    for (std::size_t i = 0; i < y.size(); ++i) dual.emplace_back(y[i], direction[i]);
    loss.derive(0, kSamples, dual.data(), kLanes, gradient.data());
    constexpr int kProbes = 20000;
    std::vector<double> mean(kSamples, 0.0), probe(y.size());
    for (int r = 0; r < kProbes; ++r) {
      loss.probe_curvature(0, kSamples, y.data(), kLanes, 1, r, probe.data());
      for (int s = 0; s < kSamples; ++s) {
        double along = 0;
        for (int v = 0; v < kOutputs; ++v)
          along += probe[v * kLanes + s] * direction[v * kLanes + s];
        mean[s] += along * along / kProbes;
      }
      EXPECT_EQ(probe[kSamples], 0) << "a lane without a sample";
    }
    for (int s = 0; s < kSamples; ++s) {
      double expected = 0;
      for (int v = 0; v < kOutputs; ++v) {
        expected += gradient[v * kLanes + s].tangent * direction[v * kLanes + s];
      }
      EXPECT_NEAR(mean[s], expected, 0.05 * expected);
    }
  }
}

TEST(Loss, CrossEntropyDoesNotOverflow) {
  Samples samples;
  samples.count = 1;
  samples.labels = {0};
  const std::vector<double> y{-1000, 1000};
  std::vector<double> to(2);
  EXPECT_EQ(Loss({LossSpec::Kind::cross_entropy}, samples, 2).derive(0, 1, y.data(), 1, to.data()),
            2000);
  EXPECT_EQ(to, (std::vector<double>{-1, 1}));
}

TEST(Loss, Mistakes) {
  const Samples none;
  EXPECT_TRUE(says([&] { parse_loss("hinge"); }, "mse, cross-entropy, groups:FILE.csv"));
  EXPECT_TRUE(says([&] { parse_loss("groups:"); }, "groups:FILE.csv"));
  EXPECT_TRUE(says([&] { Loss made({LossSpec::Kind::mse}, none, 3); }, "--targets"));
  EXPECT_TRUE(says([&] { Loss made({LossSpec::Kind::cross_entropy}, none, 3); }, "--labels"));
  const Samples samples = some_samples();
  EXPECT_TRUE(
      says([&] { Loss made({LossSpec::Kind::mse}, samples, 3); }, "3 outputs, the targets 4"));
  EXPECT_TRUE(says([&] { (void)read_loss_groups(temporary_file("bad.csv", "1,2,3\n"), 4); },
                   "level,factor,group"));
  EXPECT_TRUE(
      says([&] { (void)read_loss_groups(temporary_file("bad.csv", "1,1,0,1,4\n"), 4); }, "0 to 3"));
  EXPECT_TRUE(
      says([&] { (void)read_loss_groups(temporary_file("bad.csv", "1,1,0,1,0\n1,2,0,1,1\n"), 4); },
           "differ"));
}

}  // namespace
}  // namespace flipscope
