#include "flipscope/engine/decision_bound.h"

#include <gtest/gtest.h>

#include <cmath>

#include "flipscope/engine/line_check.h"
#include "flipscope/engine/perturbation.h"
#include "flipscope/engine/test_random_network.h"
#include "flipscope/score/classification.h"

namespace flipscope {
namespace {

/// Moves one channel of a node's output by a vector of this length in each lane, in a random
/// direction or all of it in one element.
std::vector<float> moved(const Graph& graph, const Block& golden, int node, std::int64_t channel,
                         const std::vector<double>& lengths, Random& draw, Range& elements) {
  const int value = graph.nodes[node].output;
  const Shape& shape = graph.values[value].shape;
  const std::int64_t plane = element_count(shape) / shape[1];
  elements = {channel * plane, (channel + 1) * plane};
  const float* from = golden.values[value].data() + elements.first * golden.lanes;
  std::vector<float> numbers(from, from + plane * golden.lanes);
  const bool one = draw.below(2) == 0;
  const auto only = static_cast<std::int64_t>(draw.below(plane));
  for (int lane = 0; lane < golden.lanes; ++lane) {
    std::vector<double> direction(plane);
    double squares = 0;
    for (std::int64_t i = 0; i < plane; ++i) {
      direction[i] = one && i != only ? 0 : draw.uniform() * 2 - 1;
      squares += direction[i] * direction[i];
    }
    for (std::int64_t i = 0; i < plane; ++i) {
      float& number = numbers[i * golden.lanes + lane];
      number = static_cast<float>(number + direction[i] * lengths[lane] / std::sqrt(squares));
    }
  }
  return numbers;
}

/// x [1,2,1,2] through a convolution by 1 and, along `axis`, a softmax.
Graph grouped_softmax(std::int64_t axis) {
  GraphBuilder builder("test", Layout::channel_first);
  Symbol x = builder.add_input("x", {1, 2, 1, 2});
  const Symbol w = builder.initializer("w", {.shape = {2, 2, 1, 1}, .data = {1, 0, 0, 1}});
  const Convolution convolution{.stride = {1, 1},
                                .dilation = {1, 1},
                                .pad_begin = {0, 0},
                                .pad_end = {0, 0},
                                .accumulation = {}};
  x = builder.add("conv", convolution, {x, w});
  if (axis == 0) x = builder.reshape(x, {1, 4});
  x = builder.add("softmax", Softmax{.axis = 1}, {x});
  Graph graph = builder.finish("test", {x}, {"y"});
  lower(graph);
  return graph;
}

TEST(DecisionBound, ASoftmaxOfSeveralGroupsIsNoOrder) {
  const Graph whole = grouped_softmax(0), groups = grouped_softmax(1);
  EXPECT_NE(decision_input(whole), whole.outputs[0]);
  EXPECT_EQ(decision_input(groups), groups.outputs[0]);
  const std::vector<float> inputs{6, 9, 0, 3.5};
  for (const Graph* graph : {&whole, &groups}) {
    const Program program(*graph);
    const Block golden = run_golden(program, inputs.data(), 0, 1);
    const DecisionGains gains(program);
    const DecisionBound bound(gains, program, golden);
    if (graph == &whole) {
      EXPECT_GT(bound.radius(0, 1, 0), 1);
    } else {
      EXPECT_EQ(bound.radius(0, 1, 0), 0);
    }
  }
}

TEST(DecisionBound, NothingWithinTheRadiusChangesADecision) {
  std::size_t kept = 0, known = 0, beyond = 0;
  for (std::uint64_t seed = 0; seed < 150; ++seed) {
    testing::RandomNetwork random(seed);
    const Graph graph = random.make();
    const Program program(graph);
    const std::vector<float> inputs = random.samples(graph, 16);
    const Block golden = run_golden(program, inputs.data(), 0, 16);
    const DecisionGains gains(program);
    const DecisionBound bound(gains, program, golden);
    const int out = graph.outputs[0];
    const auto outputs = static_cast<int>(element_count(graph.values[out].shape));
    std::vector<std::int32_t> decided(golden.lanes), now(golden.lanes);
    decide(golden.values[out].data(), outputs, golden.lanes, decided.data());
    PerturbedRun run(program);
    Random draw(seed, 5);
    for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
      const int node = static_cast<int>(n);
      if (DecisionGains::terms_of(graph, graph.nodes[n]) == 0) continue;
      const int value = graph.nodes[n].output;
      const auto channel = static_cast<std::int64_t>(draw.below(graph.values[value].shape[1]));
      for (const double times : {0.99, 0.99, 1e3}) {
        std::vector<double> lengths(golden.lanes);
        for (int lane = 0; lane < golden.lanes; ++lane) {
          lengths[lane] = times * bound.radius(node, channel, lane);
        }
        Range elements;
        const std::vector<float> numbers =
            moved(graph, golden, node, channel, lengths, draw, elements);
        const float* after = run.replace(golden, value, {elements}, numbers.data());
        decide(after, outputs, golden.lanes, now.data());
        for (int lane = 0; lane < golden.lanes; ++lane) {
          if (lengths[lane] == 0) continue;
          const bool changed = now[lane] != decided[lane];
          if (times > 1) {
            beyond += changed ? 1 : 0;
            continue;
          }
          ++known;
          kept += changed ? 0 : 1;
        }
      }
    }
  }
  EXPECT_EQ(kept, known);
  EXPECT_GT(known, 1000u);
  EXPECT_GT(beyond, 100u);
}

}  // namespace
}  // namespace flipscope
