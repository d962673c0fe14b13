#include "flipscope/model/keras_quantizer.h"

#include <gtest/gtest.h>

#include <limits>

#include "flipscope/numeric/test_error.h"

namespace flipscope {
namespace {

KerasQuantizer parse(const std::string& json) {
  const ConfigDocument document(json, "m.json");
  return parse_keras_quantizer(document.root()).value();
}

KerasQuantizer from_text(const std::string& text) {
  return parse("\"" + text + "\"");
}

QuantizedTensor quantize(const std::string& text, const Shape& shape, std::vector<double> data,
                         bool kernel = false) {
  for (double& x : data) x = static_cast<float>(x);
  return quantize_weights(from_text(text), {ElementType::float32, shape, std::move(data)}, kernel);
}

using Doubles = std::vector<double>;

std::string quantizer_error_of(const std::string& text, bool activation = false) {
  return message_of([&] {
    if (activation) {
      GraphBuilder builder("keras", Layout::channel_last);
      quantize_activation(builder, "n", builder.add_input("x", {1, 2}), from_text(text));
    } else {
      quantize(text, {2, 1}, {0.5, 1});
    }
  });
}

TEST(KerasQuantizer, TakesArgumentsByPositionAndName) {
  const KerasQuantizer quantizer =
      from_text(" quantized_bits ( 4, 1 , True, alpha = 'auto_po2', scale_axis=0)");
  EXPECT_EQ(quantizer.name, "quantized_bits");
  EXPECT_EQ(quantizer.number("bits", 0), 4);
  EXPECT_EQ(quantizer.number("integer", 0), 1);
  EXPECT_TRUE(quantizer.flag("symmetric", false));
  EXPECT_EQ(quantizer.automatic_scale(), "auto_po2");
  EXPECT_EQ(quantizer.number("scale_axis", 9), 0);
  EXPECT_EQ(from_text("quantized_bits").number("bits", 8), 8);
  EXPECT_EQ(from_text("binary()").name, "binary");
  EXPECT_FALSE(parse(R"({"class_name":"ternary","config":{"alpha":null,"threshold":0.5}})")
                   .arguments.contains("alpha"));
  const ConfigDocument document("\"relu\"", "m.json");
  EXPECT_FALSE(parse_keras_quantizer(document.root()).has_value());
}

TEST(KerasQuantizer, MistakesAreNamed) {
  EXPECT_NE(quantizer_error_of("quantized_bits(4,0,width=3)")
                .find("has no argument `width`; it has: bits"),
            std::string::npos);
  EXPECT_NE(quantizer_error_of("quantized_bits(4").find("lacks its closing parenthesis"),
            std::string::npos);
  EXPECT_NE(quantizer_error_of("quantized_bits(four)").find("`four` in a quantizer"),
            std::string::npos);
  EXPECT_NE(quantizer_error_of("quantized_bits(40)").find("has 40 bits"), std::string::npos);
  EXPECT_NE(quantizer_error_of("quantized_bits(4,qnoise_factor=0.5)").find("qnoise_factor 0.5"),
            std::string::npos);
  EXPECT_NE(quantizer_error_of("quantized_linear(4)")
                .find("quantized_linear is not supported; supported: "),
            std::string::npos);
  EXPECT_NE(quantizer_error_of("quantized_tanh(4)").find("is not supported for weights"),
            std::string::npos);
  EXPECT_NE(quantizer_error_of("quantized_po2(4)", true).find("is not supported for activations"),
            std::string::npos);
  EXPECT_NE(quantizer_error_of("quantized_bits(4,alpha='auto')", true).find("depends on the batch"),
            std::string::npos);
  EXPECT_NE(
      quantizer_error_of("quantized_tanh(4,use_real_tanh=True)", true).find("no exact meaning"),
      std::string::npos);
  EXPECT_NE(
      quantizer_error_of("quantized_relu(4,0,negative_slope=0.3)", true).find("negative_slope 0.3"),
      std::string::npos);
}

TEST(KerasQuantizer, FixedPointSaturatesAndRoundsHalfToEven) {
  const QuantizedTensor q =
      quantize("quantized_bits(4,1,alpha=1)", {7}, {0.125, 0.375, -0.125, -0.3, 9, -9, 0});
  EXPECT_EQ(q.values.data, (Doubles{0, 0.5, 0, -0.25, 1.75, -2, 0}));
  EXPECT_EQ(q.encoding, fixed_point(4, 2));
  EXPECT_EQ(quantize("quantized_bits(4,1,1,alpha=1)", {1}, {-9}).values.data, (Doubles{-1.75}));
  EXPECT_EQ(quantize("quantized_bits(4,1,0,False)", {3}, {-9, 9, 1}).values.data,
            (Doubles{0, 1.875, 1}));
  EXPECT_EQ(quantize("quantized_bits(4,1,alpha=3)", {1}, {0.3}).values.data, (Doubles{0.75}));
  EXPECT_EQ(quantize("quantized_bits(1,0,alpha=1)", {3}, {-0.1, 0, 3}).values.data,
            (Doubles{-1, 1, 1}));
}

TEST(KerasQuantizer, KernelsScaleThemselvesWithoutAlpha) {
  const Doubles kernel = {0.1, 4, 0.2, -1.6};
  const QuantizedTensor own = quantize("quantized_bits(4,0)", {2, 2}, kernel, true);
  EXPECT_EQ(own.values.data,
            quantize("quantized_bits(4,0,alpha='auto_po2')", {2, 2}, kernel).values.data);
  EXPECT_EQ(own.encoding.axis, 1);
  EXPECT_EQ(own.encoding.scale.size(), 2u);
  EXPECT_EQ(quantize("quantized_bits(4,0)", {2, 2}, kernel).encoding, fixed_point(4, 1));
}

TEST(KerasQuantizer, AutomaticScaleBringsTheLargestWeightToTheHighestCode) {
  const QuantizedTensor q = quantize("quantized_bits(3,0,alpha='auto')", {2, 2}, {3, 0.5, 1, -6});
  // Channels last: {3, 1} with scale 3/3, {0.5, -6} with scale 6/3.
  EXPECT_EQ(q.encoding.scale, (Doubles{1, 2}));
  EXPECT_EQ(q.values.data, (Doubles{3, 0, 1, -6}));
  EXPECT_TRUE(q.encoding.format.narrow);
  EXPECT_EQ(quantize("quantized_bits(3,0,alpha='auto',scale_axis=0)", {2, 2}, {3, 0.5, 1, -6})
                .encoding.axis,
            0);
}

TEST(KerasQuantizer, AChannelOfZerosKeepsAScale) {
  const QuantizedTensor q = quantize("quantized_bits(3,0,alpha='auto')", {2, 1}, {0, 0});
  EXPECT_EQ(q.values.data, (Doubles{0, 0}));
  EXPECT_GT(q.encoding.scale[0], 0);
}

TEST(KerasQuantizer, TernaryAndBinary) {
  EXPECT_EQ(quantize("ternary(alpha=2,threshold=0.5)", {4}, {0.5, 0.49, -0.5, -3}).values.data,
            (Doubles{2, 0, -2, -2}));
  EXPECT_EQ(quantize("ternary()", {3}, {0.33, 0.3299, -0.4}).values.data, (Doubles{1, 0, -1}));
  EXPECT_EQ(quantize("binary(alpha=0.5)", {3}, {0.1, 0, -0.1}).values.data,
            (Doubles{0.5, 0.5, -0.5}));
  EXPECT_EQ(quantize("binary(use_01=True)", {2}, {0.1, -0.1}).values.data, (Doubles{1, 0}));
  // Least squares: mean |x| of each channel, to the nearest power of two.
  EXPECT_EQ(quantize("binary(alpha='auto_po2')", {2, 1}, {0.9, -1.5}).encoding.scale, (Doubles{1}));
}

TEST(KerasQuantizer, PowersOfTwoAreNearestInTheLogarithm) {
  const QuantizedTensor q = quantize("quantized_po2(4,2)", {6}, {1.4, 1.42, -0.3, 0, 100, -1e-9});
  EXPECT_EQ(q.values.data, (Doubles{1, 2, -0.25, 0.0625, 2, -0.0625}));
  EXPECT_EQ(q.encoding.format.kind, NumberFormat::Kind::power_of_two);
  EXPECT_EQ(q.encoding.format.min_exponent, -4);
  EXPECT_EQ(quantize("quantized_relu_po2(3,2)", {2}, {-5, 0.5}).values.data,
            (Doubles{0.0625, 0.5}));
}

TEST(KerasQuantizer, RefusesWeightsThatAreNoNumbers) {
  EXPECT_THROW(quantize("quantized_bits(4)", {1}, {std::numeric_limits<double>::quiet_NaN()}),
               Error);
}

}  // namespace
}  // namespace flipscope
