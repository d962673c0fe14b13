#include "flipscope/engine/decision_bound.h"

#include <gtest/gtest.h>

#include <cmath>

#include "flipscope/engine/line_check.h"
#include "flipscope/engine/perturbation.h"
#include "flipscope/engine/test_random_network.h"
#include "flipscope/score/classification.h"

namespace flipscope {
namespace {

/// Moves these elements of a value by a vector of this length in each lane, in a random direction
/// or all of it in one element.
std::vector<float> moved(const Block& golden, int value, const Range& elements,
                         const std::vector<double>& lengths, Random& draw) {
  const std::int64_t count = elements.last - elements.first;
  const float* from = golden.values[value].data() + elements.first * golden.lanes;
  std::vector<float> numbers(from, from + count * golden.lanes);
  const bool one = draw.below(2) == 0;
  const auto only = static_cast<std::int64_t>(draw.below(count));
  for (int lane = 0; lane < golden.lanes; ++lane) {
    std::vector<double> direction(count);
    double squares = 0;
    for (std::int64_t i = 0; i < count; ++i) {
      direction[i] = one && i != only ? 0 : draw.uniform() * 2 - 1;
      squares += direction[i] * direction[i];
    }
    for (std::int64_t i = 0; i < count; ++i) {
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

struct Moves {
  std::size_t kept = 0, known = 0, beyond = 0;
};

/// Moves values by less than the radius, which must keep all decisions, and by much more.
class Mover {
 public:
  explicit Mover(std::uint64_t seed)
      : random_(seed),
        graph_(random_.make()),
        program_(graph_),
        inputs_(random_.samples(graph_, 16)),
        golden_(run_golden(program_, inputs_.data(), 0, 16)),
        gains_(program_),
        bound_(gains_, program_, golden_),
        run_(program_),
        draw_(seed, 5) {}

  const Graph& graph() const { return graph_; }
  const DecisionBound& bound() const { return bound_; }
  Random& draw() { return draw_; }

  /// radius(lane)
  template <typename Radius>
  void move(int value, const Range& elements, Radius radius, Moves& moves) {
    const int out = graph_.outputs[0], lanes = golden_.lanes;
    const auto outputs = static_cast<int>(element_count(graph_.values[out].shape));
    std::vector<std::int32_t> decided(lanes), now(lanes);
    decide(golden_.values[out].data(), outputs, lanes, decided.data());
    for (const double times : {0.99, 0.99, 1e3}) {
      std::vector<double> lengths(lanes);
      for (int lane = 0; lane < lanes; ++lane) lengths[lane] = times * radius(lane);
      const std::vector<float> numbers = moved(golden_, value, elements, lengths, draw_);
      decide(run_.replace(golden_, value, {elements}, numbers.data()), outputs, lanes, now.data());
      for (int lane = 0; lane < lanes; ++lane) {
        if (lengths[lane] == 0) continue;
        const bool changed = now[lane] != decided[lane];
        if (times > 1) {
          moves.beyond += changed ? 1 : 0;
          continue;
        }
        ++moves.known;
        moves.kept += changed ? 0 : 1;
      }
    }
  }

 private:
  testing::RandomNetwork random_;
  Graph graph_;
  Program program_;
  std::vector<float> inputs_;
  Block golden_;
  DecisionGains gains_;
  DecisionBound bound_;
  PerturbedRun run_;
  Random draw_;
};

Range channel_of(const Graph& graph, int value, std::int64_t channel) {
  const Shape& shape = graph.values[value].shape;
  const std::int64_t plane = element_count(shape) / shape[1];
  return {channel * plane, (channel + 1) * plane};
}

TEST(DecisionBound, NothingWithinTheRadiusChangesADecision) {
  Moves moves;
  for (std::uint64_t seed = 0; seed < 150; ++seed) {
    Mover mover(seed);
    const Graph& graph = mover.graph();
    for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
      if (DecisionGains::terms_of(graph, graph.nodes[n]) == 0) continue;
      const int node = static_cast<int>(n), value = graph.nodes[n].output;
      const auto channel =
          static_cast<std::int64_t>(mover.draw().below(graph.values[value].shape[1]));
      mover.move(
          value, channel_of(graph, value, channel),
          [&](int lane) { return mover.bound().radius(node, channel, lane); }, moves);
    }
  }
  EXPECT_EQ(moves.kept, moves.known);
  EXPECT_GT(moves.known, 1000u);
  EXPECT_GT(moves.beyond, 100u);
}

TEST(DecisionBound, NoDifferenceWithinTheRadiusChangesADecision) {
  Moves whole, channels;
  for (std::uint64_t seed = 0; seed < 150; ++seed) {
    Mover mover(seed);
    const Graph& graph = mover.graph();
    for (int value = 0; value < std::ssize(graph.values); ++value) {
      const Shape& shape = graph.values[value].shape;
      if (shape.size() < 2 || shape[0] != 1) continue;
      const auto channel = static_cast<std::int64_t>(mover.draw().below(shape[1]));
      for (const bool all : {true, false}) {
        const Range elements =
            all ? Range{0, element_count(shape)} : channel_of(graph, value, channel);
        mover.move(
            value, elements,
            [&](int lane) { return mover.bound().radius_of_difference(value, {elements}, lane); },
            all ? whole : channels);
      }
    }
  }
  for (const Moves& moves : {whole, channels}) {
    EXPECT_EQ(moves.kept, moves.known);
    EXPECT_GT(moves.known, 3000u);
    EXPECT_GT(moves.beyond, 300u);
  }
}

}  // namespace
}  // namespace flipscope
