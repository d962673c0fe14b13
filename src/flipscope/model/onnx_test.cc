// Whole ONNX models: real ones against their frameworks, and small ones made here.
#include "flipscope/model/onnx.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "flipscope/model/file_bytes.h"
#include "flipscope/model/model.h"
#include "flipscope/model/npy.h"
#include "flipscope/model/test_onnx.h"
#include "flipscope/numeric/test_data.h"

namespace flipscope::onnx_test {
namespace {

TEST(Onnx, initializer_behind_dequantize_linear_is_the_stored_words) {
  // Weights [2,3] with a scale and zero point per row; transposed on their way to the product.
  const OnnxModel model =
      model_of({1, 3},
               {initializer("w", kInt8, {2, 3}, {-128, 0, 127, 5, -6, 7}),
                initializer("s", kFloat, {2}, {0.5, 0.25}), initializer("z", kInt8, {2}, {1, -2})},
               {node("DequantizeLinear", {"w", "s", "z"}, "w_real", {integer("axis", 0)}),
                node("Gemm", {"x", "w_real"}, "y", {integer("transB", 1)})});
  const Graph graph = convert(model);
  const StoredTensor* w = stored(graph, "w");
  ASSERT_NE(w, nullptr);
  EXPECT_EQ(w->shape, (Shape{2, 3}));
  EXPECT_EQ(to_string(w->encoding.format), "int8");
  EXPECT_EQ(w->encoding.axis, 0);
  EXPECT_EQ(w->encoding.scale, (std::vector<double>{0.5, 0.25}));
  EXPECT_EQ(w->encoding.zero_point, (std::vector<double>{1, -2}));
  EXPECT_EQ(w->words, (std::vector<Word>{0x80, 0, 0x7F, 5, 0xFA, 7}));
  const auto y = run_one(graph, {1, 10, 100});
  EXPECT_EQ(y, (std::vector<float>{0.5F * (-129 + 10 * -1 + 100 * 126),
                                   0.25F * (7 + 10 * -4 + 100 * 9)}));
}

TEST(Onnx, a_float_keeps_the_sign_of_its_zero) {
  const Graph graph = convert(model_of({1, 2}, {initializer("w", kFloat, {2, 1}, {-0.0, 0.0})},
                                       {node("MatMul", {"x", "w"}, "y")}));
  EXPECT_EQ(stored(graph, "w")->words, (std::vector<Word>{0x80000000, 0}));
}

TEST(Onnx, layers_are_named_by_their_initializers_or_else_their_nodes) {
  for (const auto& [initializer_name, layer] :
       std::vector<std::pair<std::string, std::string>>{{"fc.1.weight", "fc.1"},
                                                        {"fc.1.weight_quantized", "fc.1"},
                                                        {"onnx::MatMul_7", "y"},
                                                        {"onnx::MatMul_7_quantized", "y"},
                                                        {"_quantized", "y"}}) {
    const Graph graph =
        convert(model_of({1, 1}, {initializer(initializer_name, kFloat, {1, 1}, {2})},
                         {node("MatMul", {"x", initializer_name}, "y")}));
    EXPECT_EQ(stored(graph, initializer_name)->layer, layer);
  }
}

TEST(Onnx, initializer_that_arithmetic_changes_is_stored_as_the_result_by_the_name_of_the_node) {
  const std::vector<OnnxInitializer> parameters = {initializer("fc.weight", kFloat, {1, 2}, {2, 5}),
                                                   initializer("k", kFloat, {}, {3}),
                                                   initializer("one", kFloat, {}, {1})};
  const Graph graph = convert(
      model_of({1, 1}, parameters,
               {node("Mul", {"fc.weight", "k"}, "scaled"),
                node("Mul", {"fc.weight", "one"}, "same"), node("MatMul", {"x", "scaled"}, "a"),
                node("MatMul", {"x", "same"}, "b"), node("Add", {"a", "b"}, "y")}));
  EXPECT_EQ(run_one(graph, {1}), (std::vector<float>{8, 20}));
  ASSERT_NE(stored(graph, "fc.weight"), nullptr);
  EXPECT_EQ(stored(graph, "fc.weight")->words, (std::vector<Word>{0x40000000, 0x40A00000}));
  ASSERT_NE(stored(graph, "scaled"), nullptr);
  EXPECT_EQ(stored(graph, "scaled")->words, (std::vector<Word>{0x40C00000, 0x41700000}));
}

TEST(Onnx, float16_initializer_behind_a_cast_keeps_its_words) {
  const Graph graph = convert(model_of(
      {1, 1}, {initializer("w", ElementType::float16, {1, 2}, {1.5, -2})},
      {node("Cast", {"w"}, "wide", {integer("to", 1)}), node("MatMul", {"x", "wide"}, "y")}));
  ASSERT_NE(stored(graph, "w"), nullptr);
  EXPECT_EQ(to_string(stored(graph, "w")->encoding.format), "float16");
  EXPECT_EQ(stored(graph, "w")->words, (std::vector<Word>{0x3E00, 0xC000}));
  EXPECT_EQ(run_one(graph, {1}), (std::vector<float>{1.5F, -2.0F}));
}

TEST(Onnx, dequantized_int32_bias_keeps_every_bit) {
  const OnnxModel model = model_of(
      {1, 1},
      {initializer("w", kFloat, {1, 1}, {0}),
       initializer("b", ElementType::int32, {1}, {2147483647}),
       initializer("s", kFloat, {}, {0.003F})},
      {node("DequantizeLinear", {"b", "s"}, "b_real"), node("Gemm", {"x", "w", "b_real"}, "y")});
  const Graph graph = convert(model);
  const StoredTensor* b = stored(graph, "b");
  ASSERT_NE(b, nullptr);
  EXPECT_EQ(b->words, (std::vector<Word>{0x7FFFFFFF}));
}

TEST(Onnx, zero_point_travels_with_codes_and_returns_with_integers) {
  // round([0.3, 0.8, −9, 9]/0.1) + 100 in uint8, the largest of pairs, reshaped.
  const std::vector<OnnxInitializer> parameters = {
      initializer("s", kFloat, {}, {0.1F}), initializer("z", kUint8, {}, {100}),
      initializer("shape", ElementType::int64, {2}, {1, 2})};
  std::vector<OnnxNode> nodes = {
      node("QuantizeLinear", {"x", "s", "z"}, "q"),
      node("MaxPool", {"q"}, "m", {integers("kernel_shape", {2}), integers("strides", {2})}),
      node("Reshape", {"m", "shape"}, "r")};
  nodes.push_back(node("Identity", {"r"}, "y"));
  const std::vector<float> x = {0.3F, 0.8F, -9, 9};
  EXPECT_EQ(run_one(convert(model_of({1, 1, 4}, parameters, nodes)), x),
            (std::vector<float>{108, 190}));
  nodes.back() = node("DequantizeLinear", {"r", "s", "z"}, "y");
  EXPECT_EQ(run_one(convert(model_of({1, 1, 4}, parameters, nodes)), x),
            (std::vector<float>{static_cast<float>(8 * static_cast<double>(0.1F)),
                                static_cast<float>(90 * static_cast<double>(0.1F))}));
  nodes.back() = node("Add", {"r", "r"}, "y");  // uint8 wraps around
  EXPECT_EQ(run_one(convert(model_of({1, 1, 4}, parameters, nodes)), x),
            (std::vector<float>{216, 124}));
}

TEST(Onnx, operators_of_onnx_runtime_on_codes_are_the_float_ones_between_quantizers) {
  const std::string runtime = "com.microsoft";
  const std::vector<OnnxInitializer> parameters = {
      initializer("s", kFloat, {}, {0.25}),
      initializer("z", kUint8, {}, {7}),
      initializer("t", kFloat, {}, {0.125}),
      initializer("u", kUint8, {}, {90}),
      initializer("w", kInt8, {3, 4}, {1, -2, 3, -4, 50, 60, -70, 80, 127, -128, 0, 9}),
      initializer("ws", kFloat, {3}, {0.5, 0.125, 0.25}),
      initializer("wz", kInt8, {3}, {0, 0, 0}),
      initializer("c", ElementType::int32, {3}, {40, -8, 100}),
      initializer("cs", kFloat, {3}, {0.125, 0.03125, 0.0625})};
  const auto pair = [](const std::string& op, const std::string& codes, const std::string& scale,
                       const std::string& zero_point, const std::string& output) {
    return node(op, {codes, scale, zero_point}, output);
  };
  const auto run = [&](std::vector<OnnxNode> nodes) {
    nodes.insert(nodes.begin(), {pair("QuantizeLinear", "x", "s", "z", "q"),
                                 pair("DequantizeLinear", "q", "s", "z", "d")});
    nodes.push_back(pair("DequantizeLinear", "r", "t", "u", "y"));
    return run_one(convert(model_of({1, 4, 1}, parameters, nodes)), {0.3F, -1.6F, 2.5F, 9.9F});
  };
  const OnnxNode back = pair("QuantizeLinear", "f", "t", "u", "r");
  const std::vector<std::string> x = {"q", "s", "z"};
  const std::vector<std::string> xx = {"q", "s", "z", "q", "s", "z", "t", "u"};
  const auto with_output = [&](std::vector<std::string> inputs) {
    inputs.insert(inputs.end(), {"t", "u"});
    return inputs;
  };

  EXPECT_EQ(run({node("QLinearAdd", xx, "r", {}, runtime)}),
            run({node("Add", {"d", "d"}, "f"), back}));
  EXPECT_EQ(run({node("QLinearMul", xx, "r", {}, runtime)}),
            run({node("Mul", {"d", "d"}, "f"), back}));
  EXPECT_EQ(run({node("QLinearSigmoid", with_output(x), "r", {}, runtime)}),
            run({node("Sigmoid", {"d"}, "f"), back}));
  EXPECT_EQ(run({node("QLinearLeakyRelu", with_output(x), "r", {}, runtime)}),
            run({node("LeakyRelu", {"d"}, "f"), back}));
  EXPECT_EQ(run({node("QLinearGlobalAveragePool", with_output(x), "r", {}, runtime)}),
            run({node("GlobalAveragePool", {"d"}, "f"), back}));
  EXPECT_EQ(run({node("QLinearSoftmax", with_output(x), "r",
                      {integer("axis", 1), integer("opset", 13)}, runtime)}),
            run({node("Softmax", {"d"}, "f", {integer("axis", 1)}), back}));
  const std::vector<OnnxAttribute> window = {integers("kernel_shape", {1}),
                                             integers("strides", {1})};
  EXPECT_EQ(run({node("QLinearAveragePool", with_output(x), "r", window, runtime)}),
            run({node("AveragePool", {"d"}, "f", window), back}));
  EXPECT_EQ(run({node("QLinearConcat", {"t", "u", "q", "s", "z", "q", "s", "z"}, "r",
                      {integer("axis", 1)}, runtime)}),
            run({node("Concat", {"d", "d"}, "f", {integer("axis", 1)}), back}));

  // A matrix product with weights per channel: also their words and those of the bias.
  const std::vector<OnnxAttribute> transposed = {integer("transB", 1)};
  const auto product = [&](std::vector<OnnxNode> nodes) {
    nodes.insert(nodes.begin(), pair("QuantizeLinear", "x", "s", "z", "q"));
    nodes.push_back(pair("DequantizeLinear", "r", "t", "u", "y"));
    return convert(model_of({1, 4}, parameters, nodes));
  };
  const Graph codes = product(
      {node("QGemm", {"q", "s", "z", "w", "ws", "wz", "c", "t", "u"}, "r", transposed, runtime)});
  const Graph real =
      product({pair("DequantizeLinear", "q", "s", "z", "d"),
               node("DequantizeLinear", {"w", "ws", "wz"}, "wd", {integer("axis", 0)}),
               node("DequantizeLinear", {"c", "cs"}, "cd", {integer("axis", 0)}),
               node("Gemm", {"d", "wd", "cd"}, "f", transposed), back});
  EXPECT_EQ(run_one(codes, {0.3F, -1.6F, 2.5F, 9.9F}), run_one(real, {0.3F, -1.6F, 2.5F, 9.9F}));
  for (const char* name : {"w", "c"}) {
    ASSERT_NE(stored(codes, name), nullptr);
    EXPECT_EQ(stored(codes, name)->words, stored(real, name)->words);
    EXPECT_EQ(stored(codes, name)->encoding.scale, stored(real, name)->encoding.scale);
  }
  EXPECT_NE(error_of(model_of({1, 4, 1}, parameters, {node("QLinearAdd", xx, "y")})), "");
}

TEST(Onnx, fixed_batch_becomes_one_even_in_reshape) {
  const OnnxModel model =
      model_of({32, 2, 3}, {initializer("shape", ElementType::int64, {2}, {32, -1})},
               {node("Relu", {"x"}, "r"), node("Reshape", {"r", "shape"}, "y")});
  const Graph graph = convert(model);
  EXPECT_EQ(graph.values[graph.inputs[0]].shape, (Shape{1, 2, 3}));
  EXPECT_EQ(run_one(graph, {1, -2, 3, -4, 5, -6}), (std::vector<float>{1, 0, 3, 0, 5, 0}));
}

TEST(Onnx, errors_name_file_and_node) {
  const auto of = [](OnnxNode one) { return error_of(model_of({1, 4}, {}, {std::move(one)})); };
  const std::string unknown = of(node("Einsum", {"x"}, "y"));
  EXPECT_TRUE(
      unknown.starts_with("[onnx] made.onnx: node \"y\" (Einsum): not supported; "
                          "supported operators: Abs, Acos,"))
      << unknown;
  EXPECT_EQ(of(node("Relu", {"x"}, "y", {integer("slope", 1)})),
            "[onnx] made.onnx: node \"y\" (Relu): attribute slope is not supported");
  EXPECT_EQ(
      of(node("Relu", {"nowhere"}, "y")),
      "[onnx] made.onnx: node \"y\" (Relu): reads \"nowhere\", which nothing before it makes");
  EXPECT_EQ(
      of(node("Reshape", {"x", "x"}, "y")),
      "[onnx] made.onnx: node \"y\" (Reshape): shape must be a constant, \"x\" depends on the "
      "model's input");
  EXPECT_EQ(of(node("Softmax", {"x"}, "y", {integer("axis", 2)})),
            "[onnx] made.onnx: node \"y\" (Softmax): axis 2 is out of range for 2 axes");
  EXPECT_EQ(of(node("Quant", {"x"}, "y")).find("[onnx] made.onnx: node \"y\" (Quant): not supp"),
            0U);
  EXPECT_EQ(error_of(model_of({-1, 3, -1}, {}, {node("Relu", {"x"}, "y")})),
            "[onnx] made.onnx: input \"x\" has the symbolic dimension \"size\" on axis 2; only the "
            "first axis, the batch, may be symbolic: export the model with a fixed size");
  EXPECT_EQ(error_of(model_of({1, 4}, {initializer("shape", ElementType::int64, {2}, {0, 5})},
                              {node("Reshape", {"x", "shape"}, "y")})),
            "[onnx] made.onnx: node \"y\" (Reshape): [1,4] cannot become [1,5]");
  EXPECT_EQ(error_of(model_of({1, 4}, {initializer("c", kFloat, {2, 1}, {1, 2})},
                              {node("Concat", {"x", "c"}, "y", {integer("axis", 1)})})),
            "[onnx] made.onnx: node \"y\" (Concat): [2,1] does not fit [1,4] along axis 1");
  const std::string huge = error_of(model_of({1, 1LL << 40, 4}, {}, {node("Relu", {"x"}, "y")}));
  EXPECT_TRUE(huge.starts_with("[onnx] made.onnx: input \"x\": ")) << huge;
  EXPECT_NE(huge.find("[1,1099511627776,4] has too many elements"), std::string::npos) << huge;
  OnnxNode pool = node("MaxPool", {"x"}, "z", {integers("kernel_shape", {1})});
  pool.outputs.push_back("y");
  EXPECT_EQ(error_of(model_of({1, 1, 4}, {}, {pool})),
            "[onnx] made.onnx: output \"y\": output 1 of node \"z\" (MaxPool) is not supported");
}

TEST(Onnx, a_batch_normalization_of_many_outputs_is_the_training_mode_before_opset_14) {
  OnnxNode norm = node("BatchNormalization", {"x", "s", "b", "m", "v"}, "y");
  OnnxModel model =
      model_of({1, 1, 2},
               {initializer("s", kFloat, {1}, {1}), initializer("b", kFloat, {1}, {0}),
                initializer("m", kFloat, {1}, {0}), initializer("v", kFloat, {1}, {1})},
               {norm});
  model.opsets[""] = 8;
  EXPECT_EQ(error_of(model), "");
  model.nodes[0].outputs = {"y", "", ""};
  EXPECT_EQ(error_of(model), "");
  model.nodes[0].outputs = {"y", "mean", "var", "saved_mean", "saved_var"};
  EXPECT_EQ(error_of(model),
            "[onnx] made.onnx: node \"y\" (BatchNormalization): more than one output is the "
            "training mode; export the model for inference");
  model.opsets[""] = 6;
  model.nodes[0].attributes = {integer("is_test", 1)};
  EXPECT_EQ(error_of(model), "");
}

TEST(Onnx, missing_file_is_an_error) {
  EXPECT_THROW(import_onnx("/nonexistent/model.onnx"), Error);
  EXPECT_THROW(import_onnx("/"), Error);
}

TEST(Onnx, resnet20_gives_the_logits_of_its_framework) {
  FLIPSCOPE_NEEDS_DATA(file, "resnet_cifar10/resnet20.onnx");
  FLIPSCOPE_NEEDS_DATA(logits_file, "resnet_cifar10/resnet20_logits_1017.npy");
  FLIPSCOPE_NEEDS_DATA(images_file, "cifar10/test_batch_first1017.bin");
  const Graph graph = import_onnx(file);
  const Tensor logits = decode_all(parse_npy(logits_file, read_file_bytes(logits_file)));
  const std::string images = read_file_bytes(images_file);
  const double mean[] = {0.4914, 0.4822, 0.4465}, deviation[] = {0.2023, 0.1994, 0.2010};
  for (int n = 0; n < 4; ++n) {
    std::vector<float> x;
    for (int i = 0; i < 3072; ++i) {
      const auto byte = static_cast<unsigned char>(images.at(n * 3073 + 1 + i));
      x.push_back(static_cast<float>((byte / 255.0 - mean[i / 1024]) / deviation[i / 1024]));
    }
    const auto y = run_one(graph, x);
    ASSERT_EQ(y.size(), 10U);
    for (int k = 0; k < 10; ++k) EXPECT_NEAR(y[k], logits.data.at(n * 10 + k), 1e-4);
  }
}

struct RealModel {
  const char* file;
  const char* first_weight;
};

class RealModels : public testing::TestWithParam<RealModel> {};

TEST_P(RealModels, imports_with_the_names_of_the_file) {
  FLIPSCOPE_NEEDS_DATA(file, GetParam().file);
  const Graph graph = import_onnx(file);
  EXPECT_EQ(graph.inputs.size(), 1U);
  EXPECT_EQ(graph.outputs.size(), 1U);
  EXPECT_NE(stored(graph, GetParam().first_weight), nullptr);
  const Shape& input = graph.values[graph.inputs[0]].shape;
  const auto y =
      run_one(graph, std::vector<float>(static_cast<std::size_t>(element_count(input)), 0.5F));
  for (const float value : y) EXPECT_TRUE(std::isfinite(value));
}

INSTANTIATE_TEST_SUITE_P(
    Onnx, RealModels,
    testing::Values(RealModel{"resnet_cifar10/resnet20.onnx", "layer1.0.conv1.weight"},
                    RealModel{"mnist/mnist_mlp.onnx", "fc1.weight"},
                    RealModel{"mnist/mnist-8.onnx", "Parameter5"},
                    RealModel{"qonnx/TFC_1W1A.onnx", "38"}, RealModel{"qonnx/TFC_2W2A.onnx", "41"},
                    RealModel{"qonnx/qkeras_jettagging.onnx", "Quant_0_param0"}));

}  // namespace
}  // namespace flipscope::onnx_test
