#include "flipscope/engine/perturbation.h"

#include <gtest/gtest.h>

#include <cmath>

#include "flipscope/engine/reference.h"
#include "flipscope/engine/test_random_network.h"
#include "flipscope/engine/workspace.h"
#include "flipscope/ops/dot.h"
#include "flipscope/score/classification.h"

namespace flipscope {
namespace {

/// The network with `delta` added to some elements of a value by a node of its own, which the
/// reference then runs like any other.
Graph with_addition(Graph graph, int value, const Ranges& elements, float delta) {
  const Shape shape = graph.values[value].shape;
  StoredTensor mask{.name = "mask", .layer = "mask", .shape = shape, .encoding = {}};
  mask.words.assign(element_count(shape), 0);
  for (const Range& range : elements) {
    for (std::int64_t e = range.first; e < range.last; ++e) {
      mask.words[e] = encode(float32_format(), delta);
    }
  }
  graph.stored.push_back(mask);
  Constant constant{.stored = static_cast<int>(graph.stored.size()) - 1, .shape = shape};
  constant.scale = {1.0};
  graph.constants.push_back(constant);
  Value sum = graph.values[value];
  sum.name = "sum";
  graph.values.push_back(sum);
  const int added = static_cast<int>(graph.values.size()) - 1;
  std::size_t at = 0;  // behind the value's producer
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    if (graph.nodes[n].output == value) at = n + 1;
    for (Input& input : graph.nodes[n].inputs) {
      if (input.kind == Input::Kind::value && input.id == value) input.id = added;
    }
  }
  for (int& output : graph.outputs) output = output == value ? added : output;
  Node node{.name = "addition", .layer = "addition", .op = Binary{BinaryFunction::add}};
  node.inputs = {{Input::Kind::value, value, shape},
                 {Input::Kind::constant, static_cast<int>(graph.constants.size()) - 1, shape}};
  node.output = added;
  graph.nodes.insert(graph.nodes.begin() + static_cast<std::ptrdiff_t>(at), node);
  return graph;
}

bool equal(float a, float b) {
  return a == b || (std::isnan(a) && std::isnan(b));
}

bool sums_codes(const Node& node) {
  const Accumulation* sum = accumulation(node.op);
  return sum && !sum->rescale.empty();
}

void sum_in_float64(Graph& graph) {
  for (Node& node : graph.nodes) {
    if (!sums_codes(node)) continue;
    std::visit(
        [](auto& op) {
          if constexpr (requires { op.accumulation; }) op.accumulation.carrier = Carrier::float64;
        },
        node.op);
  }
}

Ranges random_elements(const Shape& shape, Random& draw) {
  const std::int64_t count = element_count(shape);
  if (shape.size() > 2 && draw.below(2) == 0) {
    const std::int64_t plane = strides_of(shape)[1];
    const auto c = static_cast<std::int64_t>(draw.below(static_cast<std::uint64_t>(shape[1])));
    return {{c * plane, (c + 1) * plane}};
  }
  const auto e = static_cast<std::int64_t>(draw.below(static_cast<std::uint64_t>(count)));
  return {{e, e + 1}};
}

TEST(PerturbedRun, EqualsTheReferenceOfANetworkWithTheAddition) {
  std::size_t compared = 0, differing = 0;
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    testing::RandomNetwork random(seed);
    const Graph graph = random.make();
    const Program program(graph);
    constexpr int kSamples = 3;
    const std::vector<float> inputs = random.samples(graph, kSamples);
    const Block golden = run_golden(program, inputs.data(), 0, kSamples);
    const std::size_t size = element_count(graph.values[graph.inputs[0]].shape);
    PerturbedRun run(program);
    Random draw(seed, 2);
    for (int k = 0; k < 12; ++k) {
      const int value = static_cast<int>(draw.below(graph.values.size()));
      const Ranges elements = random_elements(graph.values[value].shape, draw);
      std::vector<float> delta(golden.lanes, 0.0f);
      for (int s = 0; s < kSamples; ++s) {
        // Codes move by whole codes.
        const int exponent = graph.values[value].holds_codes
                                 ? static_cast<int>(draw.below(8))
                                 : static_cast<int>(draw.below(24)) - 11;
        delta[s] = std::ldexp(draw.below(2) == 0 ? 1.0f : -1.0f, exponent);
      }
      const float* out = run.add(golden, value, elements, delta);
      for (int s = 0; s < kSamples; ++s) {
        const Graph changed = with_addition(graph, value, elements, delta[s]);
        const auto expected = run_reference(changed, {inputs.data() + s * size, size});
        const std::vector<float>& y = expected[changed.outputs[0]];
        for (std::size_t e = 0; e < y.size(); ++e) {
          const float golden_y = golden.values[graph.outputs[0]][e * golden.lanes + s];
          ASSERT_TRUE(equal(y[e], out[e * golden.lanes + s]))
              << "seed " << seed << " value " << value << " delta " << delta[s];
          ++compared;
          differing += equal(y[e], golden_y) ? 0 : 1;
        }
      }
    }
  }
  EXPECT_GT(compared, 5000u);
  EXPECT_GT(differing, compared / 10);
}

TEST(PerturbedRun, OnALineSmallerPerturbationsLieBetween) {
  std::size_t on_line = 0, off_line = 0;
  for (std::uint64_t seed = 0; seed < 150; ++seed) {
    testing::RandomNetwork random(seed);
    const Graph graph = random.make();
    const Program program(graph);
    constexpr int kSamples = 16;
    const std::vector<float> inputs = random.samples(graph, kSamples);
    const Block golden = run_golden(program, inputs.data(), 0, kSamples);
    PerturbedRun run(program);
    const int out_value = graph.outputs[0];
    const std::int64_t outputs = element_count(graph.values[out_value].shape);
    Random draw(seed, 3);
    for (int k = 0; k < 20; ++k) {
      const int value = static_cast<int>(draw.below(graph.values.size()));
      if (graph.values[value].holds_codes) continue;
      const Ranges elements = random_elements(graph.values[value].shape, draw);
      std::vector<float> delta(golden.lanes);
      for (float& d : delta) {
        d = std::ldexp(draw.below(2) == 0 ? 1.0f : -1.0f, static_cast<int>(draw.below(14)) - 10);
      }
      const float* out = run.add(golden, value, elements, delta);
      const std::vector<float> end(out, out + outputs * golden.lanes);
      const std::vector<std::uint8_t> line = run.on_line();
      for (const float part : {0.25f, 0.5f, 0.75f}) {
        std::vector<float> smaller = delta;
        for (float& d : smaller) d *= part;
        const float* between = run.add(golden, value, elements, smaller);
        for (int lane = 0; lane < golden.lanes; ++lane) {
          ++(line[lane] != 0 ? on_line : off_line);
          if (line[lane] == 0) continue;
          for (std::int64_t e = 0; e < outputs; ++e) {
            const float from = golden.values[out_value][e * golden.lanes + lane];
            const float to = end[e * golden.lanes + lane];
            // Rounding of float32, relative to the sums' largest terms.
            const float room = 1e-4f * (1 + std::fabs(from) + std::fabs(to));
            ASSERT_NEAR(between[e * golden.lanes + lane], from + part * (to - from), room)
                << "seed " << seed << " value " << value << " delta " << delta[lane];
          }
        }
      }
    }
  }
  EXPECT_GT(on_line, 10000u);
  EXPECT_GT(off_line, 10000u);
}

TEST(PerturbedRun, ReplacedLanesHaveTheBitsOfWholeRuns) {
  std::size_t compared = 0, differing = 0, of_codes = 0;
  for (std::uint64_t seed = 0; seed < 900; ++seed) {
    testing::RandomNetwork random(seed);
    Graph graph = random.make();
    sum_in_float64(graph);  // No differences are added there.
    const Program program(graph);
    if (!can_pick(program)) continue;
    constexpr int kSamples = 37;
    const std::vector<float> inputs = random.samples(graph, kSamples);
    const Block golden = run_golden(program, inputs.data(), 0, kSamples);
    Random draw(seed, 5);
    Graph part = graph;  // As far as any value of it.
    part.outputs = {static_cast<int>(draw.below(graph.values.size()))};
    const int end = part.outputs[0];
    const Program to_end(part);
    const Block golden_to_end = run_golden(to_end, inputs.data(), 0, kSamples);
    PerturbedRun run(program), whole(to_end);
    of_codes += std::ranges::any_of(graph.nodes, sums_codes) ? 1 : 0;
    for (int k = 0; k < 6; ++k) {
      const int value = static_cast<int>(draw.below(graph.values.size()));
      const Ranges elements = random_elements(graph.values[value].shape, draw);
      std::vector<std::int32_t> picked(lanes_of(1 + static_cast<int>(draw.below(40))));
      for (std::int32_t& sample : picked) sample = static_cast<std::int32_t>(draw.below(kSamples));
      const std::int64_t lanes = std::ssize(picked);
      std::vector<float> numbers;
      for (const Range& range : elements) {
        for (std::int64_t i = range.first * lanes; i < range.last * lanes; ++i) {
          numbers.push_back(static_cast<float>(draw.below(64)) / 16 - 2);
        }
      }
      const std::int64_t outputs = element_count(graph.values[end].shape);
      const float* out = run.replace_to(end, golden, picked, value, elements, numbers.data());
      const std::int64_t rows = std::ssize(numbers) / lanes;
      for (std::int64_t l = 0; l < lanes; ++l) {
        std::vector<float> own(rows * golden.lanes, 0.0f);
        for (std::int64_t i = 0; i < rows; ++i) {
          own[i * golden.lanes + picked[l]] = numbers[i * lanes + l];
        }
        const float* expected = whole.replace(golden_to_end, value, elements, own.data());
        for (std::int64_t e = 0; e < outputs; ++e) {
          const float y = expected[e * golden.lanes + picked[l]];
          ASSERT_TRUE(equal(out[e * lanes + l], y)) << "seed " << seed;
          const float before = golden.values[end][e * golden.lanes + picked[l]];
          differing += equal(y, before) ? 0 : 1;
          ++compared;
        }
      }
    }
  }
  EXPECT_GT(compared, 50000u);
  EXPECT_GT(differing, 10000u);
  EXPECT_GT(of_codes, 10u);
}

TEST(PerturbedRun, PickedLanesHaveTheBitsOfWholeRuns) {
  std::size_t compared = 0, reached_none = 0, alike = 0;
  for (std::uint64_t seed = 0; seed < 120; ++seed) {
    testing::RandomNetwork random(seed);
    const Graph graph = random.make();
    const Program program(graph);
    if (!can_pick(program)) continue;
    constexpr int kSamples = 5;
    const std::vector<float> inputs = random.samples(graph, kSamples);
    const Block golden = run_golden(program, inputs.data(), 0, kSamples);
    const std::int64_t outputs = element_count(graph.values[graph.outputs[0]].shape);
    PerturbedRun run(program), whole(program);
    Random draw(seed, 4);
    for (int k = 0; k < 6; ++k) {
      const int value = static_cast<int>(draw.below(graph.values.size()));
      const Ranges sets[2] = {random_elements(graph.values[value].shape, draw),
                              random_elements(graph.values[value].shape, draw)};
      std::vector<Addition> additions;
      const std::uint64_t count = 1 + draw.below(40);
      for (std::uint64_t l = 0; l < count; ++l) {
        const float size = std::ldexp(1.0f, static_cast<int>(draw.below(16)) - 10);
        additions.push_back({&sets[l % 2], draw.below(2) == 0 ? size : -size,
                             static_cast<std::int32_t>(draw.below(kSamples))});
      }
      const std::vector<std::vector<std::uint64_t>> reached = run.reach(golden, value, additions);
      const std::vector<std::uint8_t> early = run.on_line();
      const float* out = run.add(golden, value, additions);
      const int lanes = lanes_of(static_cast<int>(additions.size()));
      for (std::size_t l = 0; l < additions.size(); ++l) {
        const Addition& one = additions[l];
        std::vector<float> delta(golden.lanes, 0.0f);
        delta[one.lane] = one.delta;
        const float* expected = whole.add(golden, value, *one.elements, delta);
        EXPECT_EQ(run.on_line()[l], whole.on_line()[one.lane]) << "seed " << seed;
        bool golden_out = true;
        for (std::int64_t e = 0; e < outputs; ++e) {
          const float y = expected[e * golden.lanes + one.lane];
          ASSERT_TRUE(equal(out[e * lanes + static_cast<std::int64_t>(l)], y)) << "seed " << seed;
          golden_out =
              golden_out && equal(y, golden.values[graph.outputs[0]][e * golden.lanes + one.lane]);
          ++compared;
        }
        for (std::size_t m = 0; m < l; ++m) {
          if (additions[m].lane != one.lane || reached[m] != reached[l]) continue;
          alike += reached[l].empty() ? 0 : 1;
          for (std::int64_t e = 0; e < outputs; ++e) {
            ASSERT_TRUE(equal(out[e * lanes + static_cast<std::int64_t>(m)],
                              out[e * lanes + static_cast<std::int64_t>(l)]))
                << "seed " << seed;
          }
        }
        if (!reached[l].empty()) continue;
        ++reached_none;
        EXPECT_TRUE(golden_out) << "seed " << seed;
        EXPECT_EQ(early[l], run.on_line()[l]) << "seed " << seed;
      }
    }
  }
  EXPECT_GT(compared, 5000u);
  EXPECT_GT(reached_none, 100u);
  EXPECT_GT(alike, 100u);
}

}  // namespace
}  // namespace flipscope
