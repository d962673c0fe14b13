// Which words of the file a constant of an ONNX model reads, and which elements read none.
#include <gtest/gtest.h>

#include <algorithm>

#include "flipscope/model/test_onnx.h"
#include "flipscope/model/variant.h"

namespace flipscope::onnx_test {
namespace {

/// The constants that read a stored tensor, in order.
std::vector<Constant> readers_of(const Graph& graph, const std::string& name) {
  std::vector<Constant> readers;
  for (const Constant& constant : graph.constants) {
    if (graph.stored[constant.stored].name == name) readers.push_back(constant);
  }
  return readers;
}

std::ptrdiff_t tensors_called(const Graph& graph, const std::string& name) {
  return std::ranges::count(graph.stored, name, &StoredTensor::name);
}

TEST(OnnxStored, what_a_pad_adds_to_a_weight_has_no_words) {
  const Graph graph = convert(model_of(
      {1, 4},
      {initializer("w", kFloat, {3, 2}, {1, 2, 3, 4, 5, 6}),
       initializer("pads", ElementType::int64, {4}, {1, 0, 0, 1}),
       initializer("seven", kFloat, {}, {7})},
      {node("Pad", {"w", "pads", "seven"}, "padded"), node("MatMul", {"x", "padded"}, "y")}));
  ASSERT_EQ(tensors_called(graph, "w"), 1);
  EXPECT_EQ(stored(graph, "w")->shape, (Shape{3, 2}));
  EXPECT_EQ(stored(graph, "w")->words.size(), 6U);
  const std::vector<Constant> readers = readers_of(graph, "w");
  ASSERT_EQ(readers.size(), 1U);
  EXPECT_EQ(readers[0].source,
            (std::vector<std::int32_t>{-1, -1, -1, 0, 1, -1, 2, 3, -1, 4, 5, -1}));
  EXPECT_EQ(run_one(graph, {1, 10, 100, 1000}), (std::vector<float>{5317, 6427, 7777}));
}

TEST(OnnxStored, a_masked_word_keeps_its_value_and_nothing_reads_it) {
  Graph graph = convert(model_of(
      {1, 2}, {initializer("w", kFloat, {2, 2}, {1, 2, 3, 4})},
      {node("Trilu", {"w"}, "lower", {integer("upper", 0)}), node("MatMul", {"x", "lower"}, "y")}));
  StoredTensor& w = graph.stored.at(0);
  EXPECT_EQ(w.name, "w");
  EXPECT_EQ(w.words, (std::vector<Word>{0x3F800000, 0x40000000, 0x40400000, 0x40800000}));
  EXPECT_EQ(run_one(graph, {1, 10}), (std::vector<float>{31, 40}));
  w.words[1] = 0x41000000;
  EXPECT_EQ(run_one(graph, {1, 10}), (std::vector<float>{31, 40}));
  w.words[2] = 0x41000000;
  EXPECT_EQ(run_one(graph, {1, 10}), (std::vector<float>{81, 40}));
}

TEST(OnnxStored, a_mask_before_or_after_dequantize_linear_leaves_the_words_of_the_file) {
  const std::vector<OnnxInitializer> parameters = {initializer("w", kInt8, {2, 2}, {1, 2, 3, 4}),
                                                   initializer("s", kFloat, {}, {0.5}),
                                                   initializer("z", kInt8, {}, {1})};
  const std::vector<OnnxAttribute> lower = {integer("upper", 0)};
  const Graph after = convert(
      model_of({1, 2}, parameters,
               {node("DequantizeLinear", {"w", "s", "z"}, "real"),
                node("Trilu", {"real"}, "masked", lower), node("MatMul", {"x", "masked"}, "y")}));
  const Graph before = convert(model_of({1, 2}, parameters,
                                        {node("Trilu", {"w"}, "masked", lower),
                                         node("DequantizeLinear", {"masked", "s", "z"}, "real"),
                                         node("MatMul", {"x", "real"}, "y")}));
  for (const Graph* graph : {&after, &before}) {
    ASSERT_EQ(tensors_called(*graph, "w"), 1);
    EXPECT_EQ(stored(*graph, "w")->words, (std::vector<Word>{1, 2, 3, 4}));
    EXPECT_EQ(readers_of(*graph, "w").at(0).source, (std::vector<std::int32_t>{0, -1, 2, 3}));
  }
  EXPECT_EQ(run_one(after, {1, 10}), (std::vector<float>{10, 15}));
  EXPECT_EQ(run_one(before, {1, 10}), (std::vector<float>{10, 14.5}));
}

TEST(OnnxStored, parts_of_a_dequantized_weight_read_one_tensor) {
  OnnxNode split = node("Split", {"real"}, "left", {integer("axis", 1)});
  split.outputs.push_back("right");
  const Graph graph = convert(model_of(
      {1, 2},
      {initializer("w", kInt8, {2, 4}, {1, 2, 3, 4, 5, 6, 7, 8}),
       initializer("s", kFloat, {}, {0.3F})},
      {node("DequantizeLinear", {"w", "s"}, "real"), split, node("MatMul", {"x", "left"}, "a"),
       node("MatMul", {"x", "right"}, "b"), node("Add", {"a", "b"}, "y")}));
  ASSERT_EQ(tensors_called(graph, "w"), 1);
  EXPECT_EQ(stored(graph, "w")->words, (std::vector<Word>{1, 2, 3, 4, 5, 6, 7, 8}));
  const std::vector<Constant> readers = readers_of(graph, "w");
  ASSERT_EQ(readers.size(), 2U);
  EXPECT_EQ(readers[0].source, (std::vector<std::int32_t>{0, 1, 4, 5}));
  EXPECT_EQ(readers[1].source, (std::vector<std::int32_t>{2, 3, 6, 7}));
}

OnnxModel read_twice(double second_zero_point) {
  return model_of(
      {1, 2},
      {initializer("w", kInt8, {2, 2}, {1, 2, 3, 4}), initializer("s", kFloat, {}, {0.5}),
       initializer("t", kFloat, {}, {0.25}), initializer("z", kInt8, {}, {second_zero_point})},
      {node("DequantizeLinear", {"w", "s"}, "first"),
       node("DequantizeLinear", {"w", "t", "z"}, "second"), node("MatMul", {"x", "first"}, "a"),
       node("MatMul", {"a", "second"}, "y")});
}

TEST(OnnxStored, integers_that_two_layers_read_with_scales_of_their_own_are_stored_once) {
  Graph graph = convert(read_twice(0));
  ASSERT_EQ(tensors_called(graph, "w"), 1);
  EXPECT_EQ(run_one(graph, {1, 1}), (std::vector<float>{2.75, 4}));
  graph.stored.at(0).words[0] = 5;
  EXPECT_EQ(run_one(graph, {1, 1}), (std::vector<float>{7.25, 5}));
  EXPECT_EQ(message_of([&] { apply({.requantize = "*=fixed:4,2"}, graph); }),
            "[variant] --requantize: 'w' is read with several scales");
}

TEST(OnnxStored, readers_with_zero_points_of_their_own_have_a_tensor_each) {
  EXPECT_EQ(tensors_called(convert(read_twice(1)), "w"), 2);
}

}  // namespace
}  // namespace flipscope::onnx_test
