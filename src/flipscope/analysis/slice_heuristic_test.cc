#include "flipscope/analysis/slice_heuristic.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "flipscope/analysis/slice_judgement.h"
#include "flipscope/analysis/slice_maps.h"
#include "flipscope/numeric/error.h"

namespace flipscope {
namespace {

/// y = (3, 4), d = (1, −2), so y' = (4, 2); centroids (0, 0) and (3, 0); outputs (2, 1), label 0.
class ByHand : public ::testing::Test {
 protected:
  ByHand() {
    change.l1 = 3;
    change.squared = 5;
    change.largest = 2;
    change.along = -5;
    change.golden_squared = 25;
    change.own = 1;
    change.to_centroid = {to_centroid.data(), 2, 1};
    change.distance = distance;
    change.on_axis = {on_axis.data(), 1, 1};
    change.position = position;
    change.centroid_position = centroid_position;
    change.variance = variance;
    change.read_out = {moved.data(), 2, 1};
    change.jacobian = {moved.data(), 2, 1};
    change.gradient = -0.25;
    change.output = {output.data(), 2, 1};
    change.loss = LossSpec::Kind::cross_entropy;
  }

  double operator()(const char* name) const {
    const auto found = std::ranges::find_if(
        heuristics(), [&](const Heuristic& h) { return std::string(h.name) == name; });
    return found->value(change);
  }

  std::array<float, 2> to_centroid{0, 3}, moved{-0.5F, 1}, output{2, 1};
  std::array<float, 1> on_axis{1};  // the first coordinate
  std::array<double, 2> distance{25, 16};
  std::array<double, 1> position{3};
  std::array<double, 2> centroid_position{0, 3}, variance{4, 1};
  std::array<float, 2> target{1, 1};
  SampleChange change;
};

TEST_F(ByHand, EveryFormula) {
  const double faulty[] = {std::sqrt(20.0), std::sqrt(5.0)};
  EXPECT_EQ((*this)("affected"), 1);
  EXPECT_EQ((*this)("l1"), 3);
  EXPECT_DOUBLE_EQ((*this)("l2"), std::sqrt(5.0));
  EXPECT_EQ((*this)("linf"), 2);
  EXPECT_DOUBLE_EQ((*this)("relative-l2"), std::sqrt(0.2));
  EXPECT_DOUBLE_EQ((*this)("cosine"), 1 - 20 / (5 * faulty[0]));
  EXPECT_DOUBLE_EQ((*this)("centroid"), (5 - faulty[0] + 4 - faulty[1]) / 2);
  EXPECT_DOUBLE_EQ((*this)("centroid-own"), 4 - faulty[1]);
  EXPECT_DOUBLE_EQ((*this)("centroid-margin"), std::max(0.0, faulty[1] - faulty[0] + 1));
  EXPECT_EQ((*this)("nearest-centroid"), 0);
  // Along the first coordinate the variance is 4, along the second 1.
  const double m_golden[] = {std::sqrt(9 / 4.0 + 16), 4};
  const double m_faulty[] = {std::sqrt(16 / 4.0 + 4), std::sqrt(1 / 4.0 + 4)};
  EXPECT_DOUBLE_EQ((*this)("mahalanobis"),
                   (m_golden[0] - m_faulty[0] + m_golden[1] - m_faulty[1]) / 2);
  // Outputs go from (2, 1) to (1.5, 2).
  const double loss = std::log1p(std::exp(0.5)) - std::log1p(std::exp(-1.0));
  const double probability = 1 / (1 + std::exp(-1.0)) - 1 / (1 + std::exp(0.5));
  for (const std::string family : {"read-out", "jacobian"}) {
    EXPECT_DOUBLE_EQ((*this)(family.c_str()), std::sqrt(1.25));
    EXPECT_DOUBLE_EQ((*this)((family + "-margin").c_str()), 1.5);
    EXPECT_NEAR((*this)((family + "-loss").c_str()), loss, 1e-12);
    EXPECT_NEAR((*this)((family + "-probability").c_str()), probability, 1e-12);
  }
  EXPECT_EQ((*this)("gradient"), -0.25);
}

TEST_F(ByHand, RegressionLosesMeanSquares) {
  change.loss = LossSpec::Kind::mse;
  change.target = target;
  // Errors go from (1, 0) to (0.5, 1).
  EXPECT_DOUBLE_EQ((*this)("jacobian-loss"), (0.25 + 1 - 1) / 2);
}

TEST_F(ByHand, NoChangeIsNothingAndNaNIsWorst) {
  SampleChange none = change;
  none.l1 = none.squared = none.largest = none.along = none.gradient = 0;
  const std::array<float, 2> zeros{0, 0};
  none.to_centroid = none.read_out = none.jacobian = {zeros.data(), 2, 1};
  none.on_axis = {zeros.data(), 1, 1};
  for (const Heuristic& heuristic : heuristics())
    EXPECT_EQ(heuristic.value(none), 0) << heuristic.name;
  // A change beyond all numbers is no small one.
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  SampleChange endless = change;
  endless.l1 = endless.squared = endless.largest = endless.gradient = kInfinity;
  endless.along = std::numeric_limits<double>::quiet_NaN();
  const std::array<float, 2> beyond{-kInfinity, kInfinity};
  endless.to_centroid = endless.read_out = endless.jacobian = {beyond.data(), 2, 1};
  endless.on_axis = {beyond.data(), 1, 1};
  for (const Heuristic& heuristic : heuristics()) {
    EXPECT_FALSE(heuristic.value(endless) == 0) << heuristic.name;
  }
  moved[0] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ((*this)("jacobian-margin"), std::numeric_limits<double>::infinity());
}

TEST(Reducer, EveryReduction) {
  const std::array<double, 4> h{1, -3, 0, 4};
  const std::array<double, 6> expected{2, 0.5, std::sqrt(6.5), 4, 0.75, (0.5 + 0.75 + 0.8) / 4};
  for (std::size_t r = 0; r < expected.size(); ++r) {
    const Reducer reducer({&heuristics()[1], static_cast<Reduction>(r)});
    double sum = 0;
    for (const double x : h) reducer.add(x, sum);
    EXPECT_DOUBLE_EQ(reducer.finish(sum, 4), expected[r]) << reduction_names()[r];
    reducer.add(std::numeric_limits<double>::quiet_NaN(), sum);
    EXPECT_GT(reducer.finish(sum, 5), reducer.finish(0, 5));
  }
}

TEST(Columns, AreReadAndRefused) {
  EXPECT_EQ(parse_columns({"l2"}, true).front().name(), "l2:mean");
  const std::size_t reductions = reduction_names().size();
  EXPECT_EQ(parse_columns({"all:all"}, true).size(), heuristics().size() * reductions);
  EXPECT_LT(parse_columns({"all"}, false).size(), heuristics().size());
  EXPECT_GE(parse_columns({"all"}, false).size(), 10U);
  EXPECT_THROW(parse_columns({"l9"}, true), Error);
  EXPECT_THROW(parse_columns({"l2:mode"}, true), Error);
  EXPECT_THROW(parse_columns({"l2", "all"}, true), Error);
  EXPECT_THROW(parse_columns({"jacobian-margin"}, false), Error);
}

TEST(Judgement, OfAPerfectAndAReversedScore) {
  const std::vector<double> magnitude{0, 5, 1, 3, 0, 0, 0, 2, 4, 0};
  std::vector<double> reversed;
  for (const double m : magnitude) reversed.push_back(-m);
  const std::array<double, 2> percents{20, 50};
  const Judgement best = judge(magnitude, magnitude, percents);
  EXPECT_DOUBLE_EQ(best.spearman, 1);
  EXPECT_EQ(best.top[0].precision, 1);
  EXPECT_EQ(best.top[1].recall, 1);
  EXPECT_DOUBLE_EQ(best.area, (5 + 9 + 12 + 14 + 15 * 6) / 150.0);
  EXPECT_EQ(best.found[10], 5 / 15.0);
  const Judgement worst = judge(reversed, magnitude, percents);
  EXPECT_DOUBLE_EQ(worst.spearman, -1);
  EXPECT_EQ(worst.top[1].precision, 0);
  EXPECT_LT(worst.area, best.area);
  const std::vector<double> nothing(10, 0.0);
  EXPECT_TRUE(std::isnan(judge(magnitude, nothing, percents).top[0].recall));
}

TEST(Maps, AReadOutOfALinearFunctionIsThatFunction) {
  SliceOutputs outputs{40, 3, {}};
  std::vector<float> wanted;
  for (int s = 0; s < 40; ++s) {
    const float x[] = {static_cast<float>(s % 7), static_cast<float>(s % 5),
                       static_cast<float>(s % 3)};
    outputs.numbers.insert(outputs.numbers.end(), x, x + 3);
    wanted.push_back(2 * x[0] - x[1] + 0.5F * x[2] + 7);
  }
  const std::vector<float> w = fit_read_out(outputs, wanted, 1, 1e-9);
  EXPECT_NEAR(w[0], 2, 1e-4);
  EXPECT_NEAR(w[1], -1, 1e-4);
  EXPECT_NEAR(w[2], 0.5, 1e-4);
}

TEST(Maps, AxesAreOrthonormalAndVariancesAreTheirs) {
  SliceOutputs outputs{60, 4, {}};
  for (int s = 0; s < 60; ++s) {
    const double a = std::cos(s), b = std::sin(1.7 * s);
    for (const double x : {3 * a, 3 * a + b, 1.0, 0.1 * b}) {
      outputs.numbers.push_back(static_cast<float>(x));
    }
  }
  const std::vector<int> one(60, 0);
  const std::vector<float> mean = centroids_of(outputs, one, 1);
  const PrincipalAxes axes = principal_axes(outputs, one, mean, 2);
  ASSERT_EQ(axes.count, 2);
  for (int i = 0; i < 2; ++i) {
    double length = 0, across = 0, variance = 0;
    for (int e = 0; e < 4; ++e) {
      length += axes.direction[i * 4 + e] * axes.direction[i * 4 + e];
      across += axes.direction[e] * axes.direction[4 + e];
    }
    for (int s = 0; s < 60; ++s) {
      double x = 0;
      for (int e = 0; e < 4; ++e) x += (outputs.row(s)[e] - mean[e]) * axes.direction[i * 4 + e];
      variance += x * x / 60;
    }
    EXPECT_NEAR(length, 1, 1e-5);
    EXPECT_NEAR(across, 0, 1e-5);
    EXPECT_NEAR(variance, axes.variance[i], 1e-5 * variance);
  }
}

TEST(Maps, ClustersAreFound) {
  std::vector<float> rows;
  for (int s = 0; s < 30; ++s) {
    rows.push_back(static_cast<float>(10 * (s % 3)) + 0.01F * static_cast<float>(s));
    rows.push_back(static_cast<float>(-5 * (s % 3)));
  }
  const std::vector<int> class_of = cluster(rows, 2, 3);
  for (int s = 3; s < 30; ++s) EXPECT_EQ(class_of[s], class_of[s % 3]);
  EXPECT_EQ(std::ranges::max(cluster(std::vector<float>(10, 1.0F), 2, 3)), 0);
}

}  // namespace
}  // namespace flipscope
