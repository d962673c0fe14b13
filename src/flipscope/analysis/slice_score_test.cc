#include "flipscope/analysis/slice_score.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "flipscope/analysis/slice_cost.h"
#include "flipscope/analysis/slice_maps.h"
#include "flipscope/analysis/slice_scatter.h"
#include "flipscope/fault/test_graph.h"

namespace flipscope {
namespace {

struct Small {
  explicit Small(int bits, const FaultSpaceOptions& where = {})
      : graph(testing::small_network(bits)) {
    samples.count = 70;
    samples.shape = {2, 5, 4};
    samples.values = testing::small_inputs(samples.count);
    space.emplace(graph, where);
    problem.emplace(graph, samples, *space, SliceOptions());
  }

  Graph graph;
  Samples samples;
  std::optional<FaultSpace> space;
  std::optional<SliceProblem> problem;
};

std::vector<std::uint64_t> every(const FaultSpace& space, std::uint64_t step) {
  std::vector<std::uint64_t> faults;
  for (std::uint64_t k = 0; k < space.size(); k += step) faults.push_back(k);
  return faults;
}

/// y, y' and the norms of their difference, found again element by element in double.
TEST(SliceMeter, AgreesWithWholeOutputs) {
  for (const int bits : {0, 6}) {
    Small small(bits, {.parts = {Part::weights}, .layers = {}, .bits = "0-5"});
    const SliceProblem& problem = *small.problem;
    SliceRun run(problem.program(), *small.space, problem.slicing(), problem.units());
    SliceMeter meter(problem, ~0U);
    const Block& block = problem.blocks()[1];  // six samples
    const auto derivatives = problem.derivatives(1);
    for (const std::uint64_t number : every(*small.space, 11)) {
      const FaultSite site = small.space->site(number);
      const std::size_t slice = problem.slice_of(site);
      const SliceChange change = run(slice, block, {FaultEffect::flip, {site}});
      meter.measure(slice, block, change, derivatives[slice]);
      const std::vector<double> faulty = distances_from_scratch(problem, slice, block, change);
      for (int lane = 0; lane < block.samples; ++lane) {
        const SampleChange c = meter.at(lane);
        double squared = 0, l1 = 0;
        for (std::size_t k = 0; k < change.elements.size(); ++k) {
          const double d = change.d[k * block.lanes + lane];
          squared += d * d;
          l1 += std::fabs(d);
        }
        EXPECT_NEAR(c.squared, squared, 1e-5 * squared);
        EXPECT_NEAR(c.l1, l1, 1e-5 * l1);
        for (int k = 0; k < c.to_centroid.size; ++k) {
          const double by_change = c.distance[k] + c.squared + 2 * (c.along - c.to_centroid[k]);
          const double whole = faulty[k * block.lanes + lane];
          EXPECT_NEAR(by_change, whole, 1e-4 * (1 + whole));
        }
      }
    }
  }
}

/// Behind the last slice there is nothing: its Jacobian is 1, and what it predicts is what is.
TEST(SliceProblem, TheLastSlicesJacobianIsTheIdentity) {
  Small small(0, {.parts = {Part::weights}, .layers = {"fc2"}, .bits = {}});
  const SliceProblem& problem = *small.problem;
  const std::size_t last = problem.slicing().slices.size() - 1;
  const auto derivatives = problem.derivatives(0);
  const int lanes = problem.blocks()[0].lanes, outputs = problem.output_size();
  for (int e = 0; e < outputs; ++e) {
    for (int o = 0; o < outputs; ++o) {
      for (int lane = 0; lane < lanes; ++lane) {
        EXPECT_EQ(derivatives[last].jacobian[(e * outputs + o) * lanes + lane], e == o ? 1 : 0);
      }
    }
  }
}

/// A small step through the first slices' outputs moves the outputs by the Jacobian's word.
TEST(SliceProblem, JacobiansPredictSmallChanges) {
  Small small(0, {.parts = {Part::weights}, .layers = {}, .bits = "10"});
  const SliceProblem& problem = *small.problem;
  SliceRun run(problem.program(), *small.space, problem.slicing(), problem.units());
  FaultyRun whole(problem.program(), *small.space);
  SliceMeter meter(problem, ~0U);
  const Block& block = problem.blocks()[0];
  const auto derivatives = problem.derivatives(0);
  double wrong = 0, moved = 0;
  for (const std::uint64_t number : every(*small.space, 1)) {
    const FaultSite site = small.space->site(number);
    const Fault fault{FaultEffect::flip, {site}};
    const std::size_t slice = problem.slice_of(site);
    meter.measure(slice, block, run(slice, block, fault), derivatives[slice]);
    const float* out = whole(block, fault);
    for (int lane = 0; lane < block.samples; ++lane) {
      const SampleChange c = meter.at(lane);
      for (int o = 0; o < problem.output_size(); ++o) {
        const double change = static_cast<double>(out[o * block.lanes + lane]) - c.output[o];
        wrong += std::fabs(change - c.jacobian[o]);
        moved += std::fabs(change);
      }
    }
  }
  EXPECT_GT(moved, 0);
  EXPECT_LT(wrong, 0.01 * moved);
}

TEST(SliceScores, BlocksAddUpAndResume) {
  Small small(6);
  const SliceProblem& problem = *small.problem;
  const std::vector<SliceColumn> columns = parse_columns({"all:all"}, true);
  const std::vector<std::uint64_t> faults = every(*small.space, 9);
  const std::atomic<bool> stop{false};
  SliceScores whole, first;
  const auto ignore = [](std::uint64_t) {};
  ASSERT_TRUE(add_scores(problem, faults, columns, ChangeSource::run, whole, stop, ignore, [&] {
    if (first.blocks == 0) first = whole;
  }));
  EXPECT_EQ(first.blocks, 1U);
  EXPECT_EQ(whole.blocks, 2U);
  ASSERT_TRUE(add_scores(problem, faults, columns, ChangeSource::run, first, stop, ignore, [] {}));
  EXPECT_EQ(finished(problem, columns, first), finished(problem, columns, whole));
  const std::atomic<bool> stopped{true};
  SliceScores none;
  EXPECT_FALSE(
      add_scores(problem, faults, columns, ChangeSource::run, none, stopped, ignore, [] {}));
  EXPECT_EQ(none.blocks, 0U);
}

TEST(SliceScatter, ShowsEverySampleAsExpectedAndFaulty) {
  Small small(6);
  const Scatter scatter = scatter_of(*small.problem, 0, {5}, 50);
  const auto count = [&](ScatterPoint::Kind kind) {
    return std::ranges::count(scatter.points, kind, &ScatterPoint::kind);
  };
  EXPECT_EQ(count(ScatterPoint::Kind::expected), 50);
  EXPECT_EQ(count(ScatterPoint::Kind::faulty), 50);
  EXPECT_EQ(count(ScatterPoint::Kind::centroid), small.problem->classes());
  // The plane's share of the variance, and its axes in order.
  double x = 0, y = 0;
  for (int s = 0; s < 50; ++s) {
    x += scatter.points[s].x * scatter.points[s].x;
    y += scatter.points[s].y * scatter.points[s].y;
  }
  EXPECT_GE(x, y);
  const SliceOutputs outputs = outputs_of(small.graph, small.problem->slicing().slices[0],
                                          small.problem->units()[0], small.problem->blocks(), 50);
  const std::vector<int> one(50, 0);
  const std::vector<float> mean = centroids_of(outputs, one, 1);
  double total = 0;
  for (std::int64_t s = 0; s < 50; ++s) {
    for (std::int64_t e = 0; e < outputs.elements; ++e) {
      const double d = static_cast<double>(outputs.row(s)[e]) - mean[e];
      total += d * d;
    }
  }
  EXPECT_NEAR(scatter.share, (x + y) / total, 1e-4);
}

}  // namespace
}  // namespace flipscope
