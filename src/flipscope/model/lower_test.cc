#include "flipscope/model/lower.h"

#include <gtest/gtest.h>

#include "flipscope/model/builder.h"
#include "flipscope/numeric/test_error.h"

namespace flipscope {
namespace {

/// x → quantize → conv 1×1 (one weight a channel) + bias, all fixed point.
Graph small_network(const Encoding& activation, const Encoding& weight, const Encoding& bias,
                    std::vector<double> weights, std::vector<double> biases) {
  GraphBuilder builder("test", Layout::channel_first);
  const auto channels = static_cast<std::int64_t>(weights.size());
  Symbol x = builder.add_input("x", {1, 1, 2, 2});
  x = builder.fake_quantize("act", x, activation, false);
  Symbol w = builder.initializer("conv.weight", {.shape = {channels, 1, 1, 1}, .data = weights});
  Symbol b = builder.initializer("conv.bias", {.shape = {channels}, .data = biases});
  w = builder.fake_quantize("wq", w, weight, false);
  b = builder.fake_quantize("bq", b, bias, false);
  Convolution op{.stride = {1, 1}, .dilation = {1, 1}, .pad_begin = {0, 0}, .pad_end = {0, 0}};
  const Symbol y = builder.add("conv_node", op, {x, w, b});
  Graph graph = builder.finish("small", {y}, {"y"});
  lower(graph);
  return graph;
}

TEST(Lower, SumsCodesAndJoinsTheBias) {
  const Graph graph = small_network(fixed_point(8, 2, false), fixed_point(6, 2), fixed_point(6, 2),
                                    {0.5, -1.25}, {0.25, -0.5});
  const auto proofs = prove_exactness(graph);
  ASSERT_EQ(proofs.size(), 1u);
  EXPECT_TRUE(proofs[0].sums_codes);
  EXPECT_TRUE(proofs[0].exact);
  EXPECT_EQ(proofs[0].carrier, Carrier::float32);
  const Node& conv = graph.nodes[proofs[0].node];
  EXPECT_EQ(conv.layer, "conv");
  const auto& op = std::get<Convolution>(conv.op);
  ASSERT_EQ(op.accumulation.rescale.size(), 1u);
  EXPECT_EQ(op.accumulation.rescale[0], 0x1p-10);  // 2^−6 · 2^−4
  EXPECT_EQ(read_constant(graph, graph.constants[conv.inputs[1].id]),
            (std::vector<double>{8, -20}));
  // The bias's LSB is 2^−4: 64 units of the sum.
  EXPECT_EQ(read_constant(graph, graph.constants[conv.inputs[2].id]),
            (std::vector<double>{4 * 64, -8 * 64}));
  // The change of one word, 63 codes, times 255: more than any sum, 32·255 and the bias's 512.
  EXPECT_EQ(proofs[0].bound, 63 * 255);
}

TEST(Lower, ABiasOffTheGridIsAddedAfterTheSum) {
  const Graph graph =
      small_network(fixed_point(4, 2, false), fixed_point(4, 2),
                    Encoding{.format = integer_format(8), .scale = {0.3}}, {0.5}, {0.6});
  ASSERT_EQ(graph.nodes.size(), 3u);  // quantize, sum, add
  EXPECT_TRUE(std::holds_alternative<Binary>(graph.nodes[2].op));
  EXPECT_EQ(graph.stored[graph.constants[graph.nodes[2].inputs[1].id].stored].part, Part::biases);
}

TEST(Lower, BoundsCountWhatRaisesASumAndWhatLowersItApart) {
  const Graph graph = small_network(fixed_point(8, 2, false), fixed_point(6, 2), fixed_point(12, 8),
                                    {0.5, -1.25}, {30, -31});
  // Struck, any weight is 31 or −32; biases are 480 and −496 codes of 64 units, raised or lowered.
  EXPECT_EQ(prove_exactness(graph)[0].bound, 32 * 255 + 496 * 64);
  EXPECT_EQ(prove_exactness(graph, {.words = 0})[0].bound, 20 * 255 + 496 * 64);
}

TEST(Lower, ALoadOfManyWordsWidensTheCarrier) {
  GraphBuilder builder("test", Layout::channel_first);
  Symbol x = builder.add_input("x", {1, 256});
  x = builder.fake_quantize("act", x, fixed_point(12, 4), false);
  Symbol w = builder.initializer("fc.weight", {.shape = {256, 2}, .data = std::vector(512, 0.25)});
  w = builder.fake_quantize("wq", w, fixed_point(8, 2), false);
  Graph graph = builder.finish("fc", {builder.add("fc", MatrixProduct{}, {x, w})}, {"y"});
  lower(graph);
  EXPECT_EQ(prove_exactness(graph)[0].carrier, Carrier::float32);
  EXPECT_EQ(prove_exactness(graph, {.words = 200})[0].carrier, Carrier::float64);
}

TEST(Lower, FloatLayersSayWhy) {
  GraphBuilder builder("test", Layout::channel_first);
  Symbol x = builder.add_input("x", {1, 4});
  Symbol w = builder.initializer("fc.weight", {.shape = {4, 2}, .data = std::vector(8, 0.3)});
  Graph graph = builder.finish("fc", {builder.add("fc", MatrixProduct{}, {x, w})}, {"y"});
  lower(graph);
  const auto proofs = prove_exactness(graph);
  ASSERT_EQ(proofs.size(), 1u);
  EXPECT_FALSE(proofs[0].sums_codes);
  EXPECT_EQ(proofs[0].reason, "float weights and activations");
}

TEST(Builder, AWeightKeepsItsPlaceInTheFileThroughQuantizerAndTranspose) {
  GraphBuilder builder("test", Layout::channel_first);
  const Symbol x = builder.add_input("x", {1, 3});
  Symbol w = builder.initializer("fc.weight", {.shape = {2, 3}, .data = {0, 1, 2, 3, 4, 5}});
  w = builder.fake_quantize(
      "q", w,
      Encoding{.format = integer_format(8), .scale = {1.0, 0.5}, .zero_point = {0.0}, .axis = 0},
      true);
  w = builder.add("t", Rearrange{.source = {0, 3, 1, 4, 2, 5}, .shape = {3, 2}}, {w});
  const Graph graph = builder.finish("fc", {builder.add("fc", MatrixProduct{}, {x, w})}, {"y"});
  const Constant& constant = graph.constants[graph.nodes[0].inputs[1].id];
  const StoredTensor& stored = graph.stored[constant.stored];
  EXPECT_EQ(stored.name, "fc.weight");
  EXPECT_EQ(stored.shape, (Shape{2, 3}));
  EXPECT_EQ(stored.encoding.axis, 0);
  EXPECT_EQ(stored.words, (std::vector<Word>{0, 1, 2, 6, 8, 10}));
  EXPECT_EQ(constant.source, (std::vector<std::int32_t>{0, 3, 1, 4, 2, 5}));
  EXPECT_EQ(read_constant(graph, constant), (std::vector<double>{0, 3, 1, 4, 2, 5}));
}

/// x [1,3] times the weights [2,2] below a row of `fill`, quantized but for the fill.
Graph padded_product(double fill) {
  GraphBuilder builder("test", Layout::channel_first);
  Symbol x = builder.add_input("x", {1, 3});
  x = builder.fake_quantize("act", x, fixed_point(8, 4), false);
  Symbol w = builder.initializer("fc.weight", {.shape = {2, 2}, .data = {0.5, -1, 0.25, 1}});
  w = builder.fake_quantize("wq", w, fixed_point(6, 2), false);
  w = builder.add("pad", Rearrange{{-1, -1, 0, 1, 2, 3}, {3, 2}, fill}, {w});
  Graph graph = builder.finish("padded", {builder.add("fc", MatrixProduct{}, {x, w})}, {"y"});
  lower(graph);
  return graph;
}

TEST(Lower, SumsCodesWhereWhatFillsTheWeightsIsACodeToo) {
  const Graph on_grid = padded_product(0.25);
  auto proofs = prove_exactness(on_grid);
  ASSERT_EQ(proofs.size(), 1u);
  EXPECT_TRUE(proofs[0].sums_codes);
  const Constant& codes = on_grid.constants[on_grid.nodes[proofs[0].node].inputs[1].id];
  EXPECT_EQ(on_grid.stored[codes.stored].words.size(), 4u);
  EXPECT_EQ(read_constant(on_grid, codes), (std::vector<double>{4, 4, 8, -16, 4, 16}));

  const Graph off_grid = padded_product(0.3F);
  proofs = prove_exactness(off_grid);
  ASSERT_EQ(proofs.size(), 1u);
  EXPECT_FALSE(proofs[0].sums_codes);
  const Constant& reals = off_grid.constants[off_grid.nodes[proofs[0].node].inputs[1].id];
  EXPECT_EQ(off_grid.stored[reals.stored].words.size(), 4u);
  EXPECT_EQ(read_constant(off_grid, reals), (std::vector<double>{0.3F, 0.3F, 0.5, -1, 0.25, 1}));
}

TEST(Builder, OneInitializerOfTwoLayersIsStoredOnce) {
  GraphBuilder builder("test", Layout::channel_first);
  Symbol x = builder.add_input("x", {1, 2});
  const Symbol w = builder.initializer("tied.weight", {.shape = {2, 2}, .data = {1, 2, 3, 4}});
  x = builder.add("first", MatrixProduct{}, {x, w});
  x = builder.add("second", MatrixProduct{}, {x, w});
  const Graph graph = builder.finish("tied", {x}, {"y"});
  EXPECT_EQ(graph.stored.size(), 1u);
  EXPECT_EQ(graph.constants.size(), 2u);
}

TEST(Builder, ShapeArithmeticDisappears) {
  GraphBuilder builder("test", Layout::channel_first);
  const Symbol x = builder.add_input("x", {1, 2});
  const Symbol a = builder.literal({.type = ElementType::int64, .shape = {2}, .data = {1, 2}});
  const Symbol b = builder.add("sum", Binary{BinaryFunction::add}, {a, a});
  EXPECT_EQ(*b.constant, (std::vector<double>{2, 4}));
  EXPECT_FALSE(b.provenance);
  const Symbol y = builder.add("f", Unary{UnaryFunction::relu}, {x});
  EXPECT_EQ(builder.finish("g", {y}, {"y"}).nodes.size(), 1u);
}

TEST(Builder, AMisfitNamesTheNode) {
  GraphBuilder builder("onnx", Layout::channel_first);
  const Symbol x = builder.add_input("x", {1, 2});
  const Symbol w = builder.initializer("w", {.shape = {3, 2}, .data = std::vector(6, 1.0)});
  const std::string refused = message_of([&] { builder.add("gemm_7", MatrixProduct{}, {x, w}); });
  EXPECT_NE(refused.find("gemm_7"), std::string::npos);
}

}  // namespace
}  // namespace flipscope
