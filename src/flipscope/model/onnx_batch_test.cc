#include "flipscope/model/onnx_batch.h"

#include <gtest/gtest.h>

#include "flipscope/model/test_onnx.h"

namespace flipscope::onnx_test {
namespace {

OnnxInitializer whole_numbers(const std::string& name, std::vector<double> numbers) {
  const auto count = static_cast<std::int64_t>(numbers.size());
  return initializer(name, ElementType::int64, {count}, std::move(numbers));
}

std::string refusal(const OnnxModel& model) {
  return message_of([&] { check_batch(model, {}, convert(model)); });
}

TEST(OnnxBatch, of_fixed_size_is_left_out_of_constant_shapes) {
  const OnnxModel heads =
      model_of({4, 6}, {whole_numbers("shape", {4, 2, -1})},
               {node("Reshape", {"x", "shape"}, "r"), node("Softmax", {"r"}, "y")});
  EXPECT_EQ(convert(heads).values[convert(heads).outputs[0]].shape, (Shape{1, 2, 3}));
  EXPECT_EQ(refusal(heads), "");

  const OnnxModel tokens =
      model_of({4, 3, 2}, {whole_numbers("rows", {12, 2}), whole_numbers("back", {4, 3, 2})},
               {node("Reshape", {"x", "rows"}, "r"), node("Relu", {"r"}, "s"),
                node("Reshape", {"s", "back"}, "y")});
  EXPECT_EQ(convert(tokens).values[convert(tokens).outputs[0]].shape, (Shape{1, 3, 2}));
  EXPECT_EQ(refusal(tokens), "");

  const OnnxModel class_token =
      model_of({4, 3, 2},
               {initializer("token", kFloat, {1, 1, 2}, {7, 8}), whole_numbers("shape", {4, 1, 2})},
               {node("Expand", {"token", "shape"}, "t"),
                node("Concat", {"t", "x"}, "y", {integer("axis", 1)})});
  EXPECT_EQ(convert(class_token).values[convert(class_token).outputs[0]].shape, (Shape{1, 4, 2}));
  EXPECT_EQ(refusal(class_token), "");
}

TEST(OnnxBatch, is_refused_where_samples_know_each_other) {
  const OnnxModel attention =
      model_of({5, 6}, {},
               {node("Transpose", {"x"}, "t"), node("MatMul", {"x", "t"}, "s"),
                node("Softmax", {"s"}, "p"), node("MatMul", {"p", "x"}, "y")});
  const OnnxModel mean =
      model_of({5, 6}, {}, {node("ReduceMean", {"x"}, "y", {integers("axes", {0})})});
  const OnnxModel rows_differ = model_of({2, 2}, {initializer("b", kFloat, {2, 2}, {1, 2, 3, 4})},
                                         {node("Add", {"x", "b"}, "y")});
  for (const OnnxModel& model : {attention, mean, rows_differ}) {
    EXPECT_NE(refusal(model).find("made.onnx: "), std::string::npos);
    EXPECT_NE(refusal(model).find("samples at once"), std::string::npos);
  }
}

TEST(OnnxBatch, of_one_or_of_symbolic_size_is_not_fixed) {
  EXPECT_EQ(fixed_batch(model_of({1, 2}, {}, {}), {}), 1);
  EXPECT_EQ(fixed_batch(model_of({-1, 2}, {}, {}), {}), 1);
  EXPECT_EQ(fixed_batch(model_of({3, 2}, {}, {}), {}), 3);
}

}  // namespace
}  // namespace flipscope::onnx_test
