#include "flipscope/fault/fault_space.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <numeric>

#include "flipscope/fault/bit_range.h"
#include "flipscope/fault/test_elements.h"
#include "flipscope/fault/test_graph.h"
#include "flipscope/numeric/test_error.h"

namespace flipscope {
namespace {

using testing::small_network;

std::vector<std::string> tensors(const FaultSpace& space) {
  std::vector<std::string> names;
  for (const FaultTarget& target : space.targets()) names.push_back(target.tensor);
  return names;
}

TEST(FaultSpace, ListsTargetsInModelOrder) {
  const Graph graph = small_network();
  const FaultSpace weights(graph, {});
  EXPECT_EQ(tensors(weights),
            (std::vector<std::string>{"conv.weight", "fc1.weight", "fc2.weight"}));
  EXPECT_EQ(weights.targets()[0].layer, "conv");
  EXPECT_EQ(weights.size(), std::uint64_t{32} * (4 * 2 * 3 * 2 + 4 * 3 * 3 * 6 + 6 * 3));
  const FaultSpace both(graph, {.parts = {Part::weights, Part::biases}, .layers = {}, .bits = {}});
  EXPECT_EQ(tensors(both),
            (std::vector<std::string>{"conv.weight", "fc1.weight", "fc1.bias", "fc2.weight"}));
}

TEST(FaultSpace, KnowsTheAxisOfOutputChannels) {
  const FaultSpace space(small_network(), {});
  EXPECT_EQ(space.targets()[0].channel_axis, 0);
  EXPECT_EQ(space.targets()[1].channel_axis, 1);
}

TEST(FaultSpace, ActivationsAreInputsOfWeightedLayersOnce) {
  const FaultSpace space(small_network(), {.parts = {Part::activations}, .layers = {}, .bits = {}});
  ASSERT_EQ(space.targets().size(), 3u);
  EXPECT_EQ(space.targets()[0].layer, "conv");
  EXPECT_EQ(space.targets()[0].elements, 2 * 5 * 4);
  EXPECT_EQ(space.targets()[2].layer, "fc2");
}

TEST(FaultSpace, CodesHaveTheBitsOfTheirFormat) {
  const FaultSpace space(
      small_network(5),
      {.parts = {Part::weights, Part::activations}, .layers = {"conv"}, .bits = {}});
  for (const FaultTarget& target : space.targets()) EXPECT_EQ(target.bits.size(), 5u);
}

TEST(FaultSpace, NumberAndSiteAreInverse) {
  const char* const ranges[] = {"", "0-5", "3", "0,7", "msb:2", "0,msb:1", "2-4,30-31"};
  const std::vector<Part> parts[] = {{Part::weights},
                                     {Part::biases, Part::inputs},
                                     {Part::activations, Part::operands, Part::weights}};
  const Graph graphs[] = {small_network(), small_network(6, 2)};
  rc::check([&] {
    const Graph& graph = graphs[*rc::gen::inRange(0, 2)];
    const FaultSpaceOptions options{.parts = parts[*rc::gen::inRange(0, 3)],
                                    .layers = {},
                                    .bits = ranges[*rc::gen::inRange(0, 7)]};
    const FaultSpace space(graph, options);
    const auto number = *rc::gen::inRange<std::uint64_t>(0, space.size());
    const FaultSite site = space.site(number);
    RC_ASSERT(space.number(site) == number);
    const FaultTarget& target = space.targets()[site.target];
    RC_ASSERT(0 <= site.index && site.index < target.elements);
    RC_ASSERT(std::ranges::find(target.bits, site.bit) != target.bits.end());
    if (number + 1 < space.size()) RC_ASSERT(site < space.site(number + 1));
  });
}

TEST(FaultSpace, ElementsHaveBitsOfTheirOwn) {
  const char* const ranges[] = {"", "0-2", "msb:1", "msb:2,0", "5"};
  rc::check([&] {
    Random random(*rc::gen::arbitrary<std::uint64_t>());
    Graph graph = small_network(6);
    testing::narrow_elements(graph, random);
    const std::string bits = ranges[*rc::gen::inRange(0, 5)];
    const FaultSpace space(graph, {.parts = {Part::weights}, .layers = {}, .bits = bits});
    std::uint64_t next = 0;
    for (std::size_t t = 0; t < space.targets().size(); ++t) {
      const FaultTarget& target = space.targets()[t];
      RC_ASSERT(space.first(static_cast<int>(t)) == next);
      std::uint64_t at[32] = {};
      for (std::int64_t i = 0; i < target.elements; ++i) {
        const int width = target.encoding.width(i);
        const std::vector<int> allowed = allowed_bits(parse_bit_ranges(bits), width);
        RC_ASSERT(target.bits_of(i) == allowed);
        for (const int bit : allowed) {
          const FaultSite site{static_cast<int>(t), i, bit};
          RC_ASSERT(space.number(site) == next);
          RC_ASSERT(space.site(next) == site);
          RC_ASSERT(target.from_msb(i, bit) == width - 1 - bit);
          ++at[bit];
          ++next;
        }
      }
      for (int bit = 0; bit < 32; ++bit) RC_ASSERT(target.size_at(bit) == at[bit]);
      RC_ASSERT(target.size() == std::accumulate(at, at + 32, std::uint64_t{0}));
    }
    RC_ASSERT(space.size() == next);
  });
}

TEST(FaultSpace, ElementsWithoutBitsHaveNoFaults) {
  Graph graph = small_network(6);
  for (StoredTensor& stored : graph.stored) {
    if (stored.name == "conv.weight") stored.encoding.elements.resize(stored.words.size());
  }
  const FaultSpaceOptions conv{.parts = {Part::weights}, .layers = {"conv"}, .bits = {}};
  EXPECT_NE(message_of([&] { FaultSpace(graph, conv); }).find("has no such stored values"),
            std::string::npos);
  EXPECT_EQ(tensors(FaultSpace(graph, {})), (std::vector<std::string>{"fc1.weight", "fc2.weight"}));
}

TEST(FaultSpace, LayersAreGlobs) {
  const Graph graph = small_network();
  const FaultSpace space(graph, {.parts = {Part::weights}, .layers = {"fc*"}, .bits = {}});
  EXPECT_EQ(tensors(space), (std::vector<std::string>{"fc1.weight", "fc2.weight"}));
  const auto make = [&](FaultSpaceOptions options) { FaultSpace s(graph, options); };
  EXPECT_EQ(message_of([&] {
              make({.parts = {Part::weights}, .layers = {"fc1", "dense*"}, .bits = {}});
            }),
            "[faults] --layers 'dense*' matches no layer; there are: conv, fc1, fc2");
  EXPECT_THROW(make({.parts = {Part::normalization}, .layers = {}, .bits = {}}), Error);
  const Graph narrow = small_network(4);
  EXPECT_THROW(FaultSpace(narrow, {.parts = {Part::weights}, .layers = {"conv"}, .bits = "4-7"}),
               Error);
}

TEST(BitRange, CountsFromEitherEnd) {
  using Bits = std::vector<int>;
  EXPECT_EQ(allowed_bits(parse_bit_ranges("msb:2"), 6), (Bits{4, 5}));
  EXPECT_EQ(allowed_bits(parse_bit_ranges("msb:2"), 1), (Bits{0}));
  EXPECT_EQ(allowed_bits(parse_bit_ranges("0-1,msb:1"), 4), (Bits{0, 1, 3}));
  EXPECT_EQ(allowed_bits(parse_bit_ranges("5"), 4), Bits{});
  EXPECT_EQ(allowed_bits({}, 3), (Bits{0, 1, 2}));
  for (const char* text : {"a", "3-1", "-1", "32", "1,", ",1", "msb:", "msb:0", "0-", "1 2"}) {
    EXPECT_THROW(parse_bit_ranges(text), Error) << text;
  }
}

/// All reads of a convolution, spelled out.
std::vector<OperandRead> all_reads(const Graph& graph, const Node& node, const Convolution& op) {
  const Shape& in = node.inputs[0].shape;
  const Shape& kernel = node.inputs[1].shape;
  const Shape& out = graph.values[node.output].shape;
  std::vector<OperandRead> reads;
  for (std::int64_t m = 0; m < out[1]; ++m) {
    for (std::int64_t y = 0; y < out[2]; ++y) {
      for (std::int64_t x = 0; x < out[3]; ++x) {
        for (std::int64_t c = 0; c < kernel[1]; ++c) {
          for (std::int64_t i = 0; i < kernel[2]; ++i) {
            for (std::int64_t j = 0; j < kernel[3]; ++j) {
              const std::int64_t iy = y * op.stride[0] - op.pad_begin[0] + i * op.dilation[0];
              const std::int64_t ix = x * op.stride[1] - op.pad_begin[1] + j * op.dilation[1];
              if (iy < 0 || iy >= in[2] || ix < 0 || ix >= in[3]) continue;
              const std::int64_t channel = m / (out[1] / op.groups) * kernel[1] + c;
              reads.push_back({(m * out[2] + y) * out[3] + x, (channel * in[2] + iy) * in[3] + ix,
                               (c * kernel[2] + i) * kernel[3] + j});
            }
          }
        }
      }
    }
  }
  return reads;
}

bool same(const OperandRead& a, const OperandRead& b) {
  return a.output == b.output && a.input == b.input && a.tap == b.tap;
}

TEST(Operand, ConvolutionLeavesOutPaddedTaps) {
  for (const std::int64_t groups : {1, 2}) {
    const Graph graph = small_network(0, groups);
    for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
      const auto* op = std::get_if<Convolution>(&graph.nodes[n].op);
      if (op == nullptr) continue;
      const std::vector<OperandRead> expected = all_reads(graph, graph.nodes[n], *op);
      ASSERT_EQ(operand_count(graph, static_cast<int>(n)),
                static_cast<std::int64_t>(expected.size()));
      for (std::size_t i = 0; i < expected.size(); ++i) {
        ASSERT_TRUE(same(operand_read(graph, static_cast<int>(n), static_cast<std::int64_t>(i)),
                         expected[i]))
            << i;
      }
    }
  }
}

Graph one_node(Op op, const Shape& in, const Shape& weights, bool weights_first = false) {
  GraphBuilder builder("test", Layout::channel_first);
  const Symbol x = builder.add_input("x", in);
  const Symbol w = testing::random_weights(builder, "w", weights, 1);
  const Symbol y =
      builder.add("node", std::move(op), weights_first ? std::vector{w, x} : std::vector{x, w});
  return builder.finish("one", {y}, {"y"});
}

TEST(Operand, TransposedConvolutionReadsWhatItSpreads) {
  const TransposedConvolution op{.stride = {2},
                                 .dilation = {1},
                                 .pad_begin = {1},
                                 .pad_end = {0},
                                 .output_padding = {0},
                                 .groups = 1,
                                 .accumulation = {}};
  const Graph graph = one_node(op, {1, 2, 3}, {2, 1, 3});
  // Input i spreads to outputs 2i − 1 + k: 0 gets (1, 0); 1 (2, 0) and (0, 1); 2 (1, 1); …
  std::vector<OperandRead> expected;
  for (std::int64_t o = 0; o < 6; ++o) {
    for (std::int64_t c = 0; c < 2; ++c) {
      for (std::int64_t k = 0; k < 3; ++k) {
        for (std::int64_t i = 0; i < 3; ++i) {
          if (2 * i - 1 + k == o) expected.push_back({o, c * 3 + i, c * 3 + k});
        }
      }
    }
  }
  ASSERT_EQ(operand_count(graph, 0), static_cast<std::int64_t>(expected.size()));
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_TRUE(same(operand_read(graph, 0, static_cast<std::int64_t>(i)), expected[i])) << i;
  }
}

TEST(Operand, MatrixProductReadsRowsOrColumns) {
  const Graph right = one_node(MatrixProduct{}, {2, 1, 3, 4}, {5, 4, 6});
  EXPECT_EQ(operand_count(right, 0), 2 * 5 * 3 * 6 * 4);
  // Output [1][4][2][5], k = 3: row 2 of the second batch, which broadcasts over the axis of 5.
  const std::int64_t output = ((1 * 5 + 4) * 3 + 2) * 6 + 5;
  EXPECT_TRUE(same(operand_read(right, 0, output * 4 + 3), {output, (1 * 3 + 2) * 4 + 3, 3}));
  const Graph left = one_node(MatrixProduct{}, {2, 4, 3}, {5, 4}, true);
  EXPECT_EQ(operand_count(left, 0), 2 * 5 * 3 * 4);
  const std::int64_t column = (1 * 5 + 2) * 3 + 1;
  EXPECT_TRUE(same(operand_read(left, 0, column * 4 + 2), {column, (1 * 4 + 2) * 3 + 1, 2}));
}

}  // namespace
}  // namespace flipscope
