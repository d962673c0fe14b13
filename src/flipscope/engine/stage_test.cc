#include "flipscope/engine/stage.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>

#include "flipscope/engine/faulty_run.h"
#include "flipscope/engine/stage_run.h"
#include "flipscope/engine/test_random_network.h"

namespace flipscope {
namespace {

/// What two convolutions read and write, and the parts that they fall into.
struct Widths {
  std::int64_t in = 3;
  std::int64_t out[2] = {5, 9};
  std::int64_t parts[2] = {1, 1};
  int weight_bits = 8;
};

/// Convolution → normalization → relu → quantizer, twice, and a dense layer, with some weights of
/// the lowest code.
Graph two_stage_network(std::uint64_t seed, const Encoding& activation, double scale,
                        const Widths& widths = {}) {
  Random random(seed, 2);
  GraphBuilder builder("stages", Layout::channel_first);
  const auto tensor = [&](const Shape& shape, double low, double high) {
    Tensor t{.shape = shape, .data = {}};
    for (std::int64_t i = 0; i < element_count(shape); ++i) {
      t.data.push_back(static_cast<float>(low + random.uniform() * (high - low)));
    }
    return t;
  };
  const auto quantized = [&](const std::string& name, const Shape& shape) {
    Encoding encoding{.format = integer_format(widths.weight_bits)};
    encoding.scale = {scale};
    const double most = lowest(encoding.format) * scale;
    return builder.fake_quantize(
        name + "_q", builder.initializer(name, tensor(shape, 1.01 * most, -most)), encoding, true);
  };
  Symbol x =
      builder.fake_quantize("in", builder.add_input("x", {1, widths.in, 6, 5}), activation, true);
  for (int k = 0; k < 2; ++k) {
    const std::string name = "conv" + std::to_string(k);
    const std::int64_t channels = widths.out[k], from = x.shape[1] / widths.parts[k];
    const Convolution op{.stride = {1, 1 + k},
                         .dilation = {1, 1},
                         .pad_begin = {1, 1},
                         .pad_end = {1, 0},
                         .groups = widths.parts[k]};
    x = builder.add(name, op, {x, quantized(name + ".weight", {channels, from, 3, 2})});
    x = builder.add(name + ".bn", BatchNormalization{},
                    {x, builder.initializer(name + ".gamma", tensor({channels}, -1, 1)),
                     builder.initializer(name + ".beta", tensor({channels}, -1, 1)),
                     builder.initializer(name + ".mean", tensor({channels}, -1, 1)),
                     builder.initializer(name + ".var", tensor({channels}, 1, 9))});
    if (k == 0) x = builder.add("relu", Unary{UnaryFunction::relu}, {x});
    x = builder.fake_quantize(name + ".act", x, activation, true);
  }
  const std::int64_t inner = element_count(x.shape);
  x = builder.reshape(x, {1, inner});
  x = builder.add("fc", MatrixProduct{}, {x, quantized("fc.weight", {inner, 3})});
  Graph graph = builder.finish("stages", {x}, {"y"});
  lower(graph);
  return graph;
}

Encoding affine(int bits, bool is_signed, double scale, double zero) {
  Encoding encoding{.format = integer_format(bits, is_signed)};
  encoding.scale = {scale};
  encoding.zero_point = {zero};
  return encoding;
}

/// Pairs whose outputs differ between the difference and the whole network.
int differing_pairs(const Program& program, const std::vector<float>& inputs, int samples,
                    int faults, int words) {
  const Graph& graph = *program.graph;
  const Block golden = run_golden(program, inputs.data(), 0, samples);
  const FaultSpace space(graph, {.parts = {Part::weights, Part::normalization, Part::activations}});
  FaultyRun difference(program, space), whole(program, space, Method::whole);
  Random draw(7, 3);
  int differing = 0;
  for (int k = 0; k < faults; ++k) {
    Fault fault{FaultEffect::flip, {}};
    for (int w = 0; w < words; ++w) fault.sites.push_back(space.site(draw.below(space.size())));
    std::sort(fault.sites.begin(), fault.sites.end());
    fault.sites.erase(std::unique(fault.sites.begin(), fault.sites.end()), fault.sites.end());
    const float* a = difference(golden, fault);
    const float* b = whole(golden, fault);
    const std::int64_t outputs = element_count(graph.values[graph.outputs[0]].shape);
    for (int lane = 0; lane < samples; ++lane) {
      bool equal = true;
      for (std::int64_t o = 0; o < outputs; ++o) {
        const float x = a[o * golden.lanes + lane], y = b[o * golden.lanes + lane];
        equal = equal && (std::bit_cast<std::uint32_t>(x) == std::bit_cast<std::uint32_t>(y) ||
                          (std::isnan(x) && std::isnan(y)));
      }
      differing += equal ? 0 : 1;
    }
  }
  return differing;
}

const Encoding kActivations[] = {
    fixed_point(8, 2, false),   fixed_point(8, 2, true),      fixed_point(4, 1, false),
    affine(8, false, 0.03, 0),  affine(8, false, 0.037, 113), affine(8, true, 0.021, -128),
    affine(8, true, 0.0173, 5), affine(3, true, 0.4, 0),      Encoding{.format = bipolar_format()},
};

TEST(Stage, ServesEveryEncodingOfAByte) {
  int index = 0;
  for (const Encoding& activation : kActivations) {
    for (double scale : {0.0078125, 0.0091}) {
      const Graph graph = two_stage_network(index, activation, scale);
      const Program program(graph);
      ASSERT_EQ(program.stages->size(), 3u) << to_string(activation);
      EXPECT_TRUE((*program.stages)[0].writes_codes) << to_string(activation) << " " << scale;
      EXPECT_TRUE((*program.stages)[1].writes_codes) << to_string(activation) << " " << scale;
      EXPECT_FALSE((*program.stages)[2].writes_codes);
      std::vector<float> inputs(element_count(graph.values[graph.inputs[0]].shape) * 40);
      Random random(index, 4);
      for (float& x : inputs) x = static_cast<float>(random.uniform() * 8 - 4);
      for (int words : {1, 3}) {
        EXPECT_EQ(differing_pairs(program, inputs, 40, 400, words), 0) << to_string(activation);
      }
      ++index;
    }
  }
}

TEST(Stage, ServesGroupedConvolutions) {
  const Widths kinds[] = {{.in = 8, .out = {8, 24}, .parts = {8, 4}},  // by channel, 2 to 6
                          {.in = 6, .out = {10, 20}, .parts = {2, 10}},
                          {.in = 5, .out = {15, 9}, .parts = {5, 3}},
                          {.in = 16, .out = {16, 24}, .parts = {2, 1}}};
  int index = 0;
  for (const Widths& widths : kinds) {
    for (const Encoding& activation : {kActivations[0], kActivations[4], kActivations[6]}) {
      const Graph graph = two_stage_network(++index, activation, 0.0091, widths);
      const Program program(graph);
      ASSERT_EQ(program.stages->size(), 3u);
      EXPECT_EQ((*program.stages)[0].parts, widths.parts[0]);
      EXPECT_TRUE((*program.stages)[0].writes_codes && (*program.stages)[1].writes_codes);
      std::vector<float> inputs(element_count(graph.values[graph.inputs[0]].shape) * 40);
      Random random(index, 4);
      for (float& x : inputs) x = static_cast<float>(random.uniform() * 8 - 4);
      for (int words : {1, 3}) {
        EXPECT_EQ(differing_pairs(program, inputs, 40, 400, words), 0) << index;
      }
    }
  }
}

/// Codes and weights of up to 16 bits, where their sums fit 32.
TEST(Stage, ServesHalvesBesideBytes) {
  struct Kind {
    Encoding activation;
    int weight_bits;
    double scale;
    Widths widths;
  };
  const Widths grouped{.in = 8, .out = {8, 24}, .parts = {8, 4}};
  const Widths few{.in = 2, .out = {3, 2}};  // steps of 65,536 codes take their time
  const Kind kinds[] = {
      {fixed_point(12, 4, false), 6, 0.0625, {}},
      {fixed_point(12, 4, true), 8, 0.0078125, grouped},
      {fixed_point(9, 3, false), 10, 0.001953125, {}},
      {fixed_point(16, 6, true), 8, 0.0078125, few},
      {fixed_point(16, 6, false), 5, 0.0625, few},
      {fixed_point(8, 3, false), 12, 0.00048828125, {}},  // bytes that meet wider weights
      {fixed_point(8, 3, true), 16, 0.0000305176, grouped},
      {affine(10, false, 0.0071, 300), 9, 0.0038, {}},
      {affine(11, true, 0.0043, -77), 7, 0.0123, grouped},
  };
  int index = 0;
  for (Kind kind : kinds) {
    SCOPED_TRACE(to_string(kind.activation) + " " + std::to_string(kind.weight_bits));
    kind.widths.weight_bits = kind.weight_bits;
    const Graph graph = two_stage_network(++index, kind.activation, kind.scale, kind.widths);
    const Program program(graph);
    ASSERT_EQ(program.stages->size(), 3u);
    for (const Stage& stage : *program.stages) EXPECT_EQ(stage.in.packing, Packing::halves);
    EXPECT_TRUE((*program.stages)[0].writes_codes && (*program.stages)[1].writes_codes);
    std::vector<float> inputs(element_count(graph.values[graph.inputs[0]].shape) * 40);
    Random random(index, 4);
    for (float& x : inputs) x = static_cast<float>(random.uniform() * 8 - 4);
    for (int words : {1, 3}) EXPECT_EQ(differing_pairs(program, inputs, 40, 100, words), 0);
  }
}

TEST(Stage, SumsBeyond32BitsAreLeftToTheOtherOperators) {
  const Graph graph =
      two_stage_network(1, fixed_point(16, 6, true), 0.000030517578125, {.weight_bits = 16});
  EXPECT_TRUE(Program(graph).stages->empty());
}

TEST(Stage, ACodeThatIsNoNumberLeavesItToTheOtherOperators) {
  const Graph graph = two_stage_network(1, kActivations[0], 0.0078125);
  std::vector<float> inputs(element_count(graph.values[graph.inputs[0]].shape) * 16, 0.5f);
  inputs[100] = std::numeric_limits<float>::quiet_NaN();
  const Program program(graph);
  const Block golden = run_golden(program, inputs.data(), 0, 16);
  EXPECT_TRUE(golden.packed[(*program.stages)[0].input].empty());
  EXPECT_EQ(differing_pairs(program, inputs, 16, 200, 1), 0);
}

TEST(Stage, DifferencesOnRandomNetworksEqualWholeRuns) {
  std::size_t stages = 0;
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    testing::RandomNetwork random(seed);
    const Graph graph = random.make();
    const Program program(graph);
    for (const Stage& stage : *program.stages) stages += stage.writes_codes ? 1 : 0;
    EXPECT_EQ(differing_pairs(program, random.samples(graph, 20), 20, 100, 1), 0) << seed;
  }
  EXPECT_GT(stages, 20u);
}

}  // namespace
}  // namespace flipscope
