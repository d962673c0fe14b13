// QONNX quantizers of constants: one format, one per channel, one per element.
#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "flipscope/model/model.h"
#include "flipscope/model/test_onnx.h"

namespace flipscope::onnx_test {
namespace {

TEST(Qonnx, quantizer_per_channel) {
  const auto quant = [](double bits, std::vector<double> scale, const char* domain) {
    return model_of({1, 2, 2},
                    {initializer("s", kFloat, {2, 1}, std::move(scale)),
                     initializer("z", kFloat, {}, {0}), initializer("b", kFloat, {}, {bits})},
                    {node("Quant", {"x", "s", "z", "b"}, "y",
                          {integer("signed", 1), integer("narrow", 1)}, domain)});
  };
  for (const char* domain :
       {"qonnx.custom_op.general", "onnx.brevitas", "finn.custom_op.general"}) {
    const Graph graph = convert(quant(3, {0.5, 2}, domain));
    EXPECT_EQ(run_one(graph, {-9, 0.75, 5, -9}), (std::vector<float>{-1.5, 1, 4, -6}));
  }
  EXPECT_EQ(error_of(quant(2.5, {1, 1}, "onnx.brevitas")),
            "[onnx] made.onnx: node \"y\" (Quant): bitwidth must be an integer from 1 to 32, "
            "it is 2.5");
  EXPECT_EQ(error_of(quant(4, {1, 0}, "onnx.brevitas")),
            "[onnx] made.onnx: node \"y\" (Quant): scale must be positive, it holds 0");
}

/// A matrix of weights, quantized by element, that multiplies x [1, 2].
OnnxModel quantized_elements(OnnxInitializer scale, OnnxInitializer bits,
                             std::vector<OnnxInitializer> more = {},
                             std::vector<OnnxAttribute> attributes = {}) {
  std::vector<OnnxInitializer> parameters = {
      initializer("w", kFloat, {2, 3}, {0.3, -7, 0.9, 5, -0.26, 3}),
      initializer("z", kFloat, {}, {0}), std::move(scale), std::move(bits)};
  std::vector<std::string> inputs = {"w", "s", "z", "b"};
  for (OnnxInitializer& one : more) {
    inputs.push_back(one.name);
    parameters.push_back(std::move(one));
  }
  return model_of({1, 2}, std::move(parameters),
                  {node("Quant", inputs, "q", std::move(attributes), "qonnx.custom_op.general"),
                   node("MatMul", {"x", "q"}, "y")});
}

TEST(Qonnx, formats_of_elements) {
  const OnnxInitializer scale = initializer("s", kFloat, {2, 3}, {0.25, 1, 0.5, 0.125, 0.25, 2});
  const OnnxInitializer bits = initializer("b", kFloat, {2, 3}, {2, 3, 0, 4, 2, 2});
  const Graph graph = convert(quantized_elements(scale, bits));
  EXPECT_EQ(run_one(graph, {1, 0}), (std::vector<float>{0.25, -4, 0}));
  EXPECT_EQ(run_one(graph, {0, 1}), (std::vector<float>{0.875, -0.25, 2}));
  const StoredTensor* w = stored(graph, "w");
  ASSERT_NE(w, nullptr);
  EXPECT_EQ(to_string(w->encoding), "fixed<6,3> per element, 0-4 bits");
  EXPECT_EQ(
      w->encoding.elements,
      (std::vector<ElementBits>{
          {1, 2, true}, {3, 3, true}, {0, 0, true}, {0, 4, true}, {1, 2, true}, {4, 2, true}}));
  EXPECT_EQ(w->words, (std::vector<Word>{2, 64 - 32, 0, 7, 64 - 2, 16}));

  // Elements without a sign among others.
  const Graph signs =
      convert(quantized_elements(scale, bits, {initializer("k", kFloat, {2, 1}, {1, 0})}));
  EXPECT_EQ(run_one(signs, {0, 1}), (std::vector<float>{1.875, 0, 4}));
  ASSERT_NE(stored(signs, "w"), nullptr);
  EXPECT_EQ(stored(signs, "w")->encoding.elements[5], (ElementBits{4, 2, false}));
  EXPECT_EQ(stored(signs, "w")->encoding.format.bits, 7);

  // Nothing is left of a tensor that is pruned as a whole.
  for (const Shape& shape : {Shape{2, 3}, Shape{}}) {
    const Graph pruned = convert(quantized_elements(
        scale, initializer("b", kFloat, shape, std::vector<double>(shape.empty() ? 1 : 6, 0))));
    EXPECT_EQ(run_one(pruned, {1, 1}), (std::vector<float>{0, 0, 0}));
    ASSERT_NE(stored(pruned, "w"), nullptr);
    EXPECT_EQ(stored(pruned, "w")->encoding.elements, std::vector<ElementBits>(6, {0, 0, true}));
  }

  // A transposed tensor keeps the formats in the file's order.
  OnnxModel turned = quantized_elements(scale, bits);
  turned.inputs[0].shape = {1, 3};
  turned.nodes[1] = node("Transpose", {"q"}, "t", {integers("perm", {1, 0})});
  turned.nodes.push_back(node("MatMul", {"x", "t"}, "y"));
  const Graph transposed = convert(turned);
  ASSERT_NE(stored(transposed, "w"), nullptr);
  EXPECT_EQ(stored(transposed, "w")->encoding, w->encoding);
  EXPECT_EQ(run_one(transposed, {0, 0, 1}), (std::vector<float>{0, 2}));
}

TEST(Qonnx, widths_per_channel) {
  // Scales between powers of two stay those of their channels; then all bits start at the step.
  const Graph graph = convert(quantized_elements(initializer("s", kFloat, {2, 1}, {0.3F, 0.5}),
                                                 initializer("b", kFloat, {2, 1}, {4, 2})));
  EXPECT_EQ(run_one(graph, {0, 1}), (std::vector<float>{0.5, -0.5, 0.5}));
  const StoredTensor* w = stored(graph, "w");
  ASSERT_NE(w, nullptr);
  EXPECT_EQ(w->encoding.axis, 0);
  EXPECT_EQ(w->encoding.elements[0], (ElementBits{0, 4, true}));
  EXPECT_EQ(w->encoding.elements[3], (ElementBits{0, 2, true}));
  // Widths that are all the same are the tensor's format.
  const Graph same = convert(quantized_elements(initializer("s", kFloat, {}, {0.5}),
                                                initializer("b", kFloat, {3}, {4, 4, 4})));
  ASSERT_NE(stored(same, "w"), nullptr);
  EXPECT_EQ(to_string(stored(same, "w")->encoding), "fixed<4,3>");
}

TEST(Qonnx, formats_of_elements_that_are_refused) {
  const auto quant = [](double step, std::vector<double> bits, Shape shape) {
    return error_of(
        quantized_elements(initializer("s", kFloat, {2, 3}, {step, 1, 0.5, 0.125, 0.25, 2}),
                           initializer("b", kFloat, std::move(shape), std::move(bits))));
  };
  const std::string where = "[onnx] made.onnx: node \"q\" (Quant): ";
  EXPECT_EQ(quant(0.3, {4}, {}), where +
                                     "scales that vary along more than one axis must be powers of "
                                     "two times the smallest, and their zero points 0");
  EXPECT_EQ(quant(1, {4, 33, 1}, {3}),
            where + "bitwidths of elements must be integers from 0 to 32, they hold 33");
  EXPECT_EQ(quant(1, {4, 3}, {2}), where + "bitwidth [2] does not fit [2,3]");
  EXPECT_EQ(quant(0x1p30, {4, 3, 2}, {3}),
            where +
                "its elements' formats span 37 bits from the finest step to the highest bit; words "
                "have up to 32");
  EXPECT_EQ(
      error_of(model_of({1, 2},
                        {initializer("s", kFloat, {}, {1}), initializer("z", kFloat, {}, {0}),
                         initializer("b", kFloat, {2}, {3, 4})},
                        {node("Quant", {"x", "s", "z", "b"}, "y", {}, "qonnx.custom_op.general")})),
      "[onnx] made.onnx: node \"y\" (Quant): formats of elements are for constants; other "
      "values have one bitwidth");
}

TEST(Qonnx, weights_are_rounded_once) {
  // 13.474 and −13.474 steps, whatever float32 makes of 13 and 14 of them.
  OnnxAttribute mode;
  mode.name = "rounding_mode";
  mode.kind = OnnxAttribute::Kind::text;
  const std::vector<OnnxInitializer> parameters = {
      initializer("w", kFloat, {1, 2}, {0.44082287F, -0.44082287F}),
      initializer("s", kFloat, {}, {0.032717027F}), initializer("z", kFloat, {}, {0}),
      initializer("b", kFloat, {}, {6})};
  const std::map<std::string, std::vector<Word>> codes = {{"CEIL", {14, 64 - 13}},
                                                          {"FLOOR", {13, 64 - 14}},
                                                          {"UP", {14, 64 - 14}},
                                                          {"DOWN", {13, 64 - 13}}};
  for (const auto& [rounding, words] : codes) {
    mode.text = rounding;
    const Graph graph = convert(
        model_of({1, 1}, parameters,
                 {node("Quant", {"w", "s", "z", "b"}, "q", {mode}, "qonnx.custom_op.general"),
                  node("MatMul", {"x", "q"}, "y")}));
    ASSERT_NE(stored(graph, "w"), nullptr);
    EXPECT_EQ(stored(graph, "w")->words, words) << rounding;
  }
}

}  // namespace
}  // namespace flipscope::onnx_test
