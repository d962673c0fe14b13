// Layers of Keras models, one at a time, on numbers that can be followed by hand.
#include <gtest/gtest.h>

#include "flipscope/model/test_keras.h"

namespace flipscope {
namespace {

using namespace keras_test;

TEST(KerasLayer, DenseReadsItsKernelAndBias) {
  Weights weights;
  weights.add("l", "l/kernel", {2, 3}, {1, 2, 3, 4, 5, 6}).add("l", "l/bias", {3}, {10, 20, 30});
  const Graph graph =
      import(sequential("2", layer("Dense", R"("units":3,"activation":"relu")")), weights);
  EXPECT_EQ(run(graph, {1, -1}), (Floats{7, 17, 27}));
  EXPECT_EQ(graph.layout, Layout::channel_last);
  ASSERT_EQ(graph.stored.size(), 2u);
  EXPECT_EQ(graph.stored[0].name, "l/kernel");
  EXPECT_EQ(graph.stored[0].layer, "l");
  EXPECT_EQ(graph.stored[0].shape, (Shape{2, 3}));
  EXPECT_EQ(graph.stored[0].part, Part::weights);
  EXPECT_EQ(graph.stored[1].part, Part::biases);
}

TEST(KerasLayer, DenseActsOnTheLastAxisOfAnyTensor) {
  Weights weights;
  weights.add("l", "l/kernel", {2, 1}, {1, 10});
  const Graph graph =
      import(sequential("2,2", layer("Dense", R"("units":1,"use_bias":false)")), weights);
  EXPECT_EQ(run(graph, {1, 2, 3, 4}), (Floats{21, 43}));
}

TEST(KerasLayer, SamePaddingIsLargerAtTheEnd) {
  Weights weights;
  weights.add("l", "l/kernel", {3, 1, 1}, {1, 10, 100});
  const auto conv = [](const char* more) {
    return layer("Conv1D",
                 std::string(R"("filters":1,"kernel_size":[3],"use_bias":false,)") + more);
  };
  const Floats x = {1, 2, 3, 4};
  // One pad in total for stride 2: it stands at the end.
  EXPECT_EQ(run(import(sequential("4,1", conv(R"("strides":[2],"padding":"same")")), weights), x),
            (Floats{321, 43}));
  EXPECT_EQ(run(import(sequential("4,1", conv(R"("padding":"same")")), weights), x),
            (Floats{210, 321, 432, 43}));
  EXPECT_EQ(run(import(sequential("4,1", conv(R"("padding":"causal")")), weights), x),
            (Floats{100, 210, 321, 432}));
  EXPECT_EQ(run(import(sequential("4,1", conv(R"("padding":"valid")")), weights), x),
            (Floats{321, 432}));
}

TEST(KerasLayer, ChannelsStandLastInFilesAndSamples) {
  Weights weights;
  weights.add("l", "l/kernel", {1, 1, 2, 2}, {1, 2, 3, 4});
  const Graph graph = import(
      sequential("1,2,2", layer("Conv2D", R"("filters":2,"kernel_size":1,"use_bias":false)")),
      weights);
  EXPECT_EQ(run(graph, {1, 10, 2, 20}), (Floats{31, 42, 62, 84}));
  EXPECT_EQ(graph.stored[0].shape, (Shape{1, 1, 2, 2}));
  EXPECT_EQ(graph.values[graph.outputs[0]].shape, (Shape{1, 1, 2, 2}));
}

TEST(KerasLayer, DepthwiseChannelsDoNotMix) {
  Weights weights;
  weights.add("l", "l/depthwise_kernel", {1, 1, 2, 2}, {1, 2, 3, 4});
  const Graph graph =
      import(sequential("1,1,2", layer("DepthwiseConv2D",
                                       R"("kernel_size":1,"depth_multiplier":2,"use_bias":false)")),
             weights);
  EXPECT_EQ(run(graph, {1, 10}), (Floats{1, 2, 30, 40}));
}

TEST(KerasLayer, TransposedConvolutionIsTheGradientOfAConvolution) {
  Weights weights;
  weights.add("l", "l/kernel", {3, 1, 1}, {1, 10, 100});
  const auto conv = [](const char* more) {
    return layer("Conv1DTranspose",
                 std::string(R"("filters":1,"kernel_size":3,"use_bias":false,)") + more);
  };
  const Floats x = {1, 2};
  EXPECT_EQ(run(import(sequential("2,1", conv(R"("strides":2,"padding":"same")")), weights), x),
            (Floats{1, 10, 102, 20}));
  EXPECT_EQ(run(import(sequential("2,1", conv(R"("strides":2,"padding":"valid")")), weights), x),
            (Floats{1, 10, 102, 20, 200}));
  EXPECT_EQ(run(import(sequential("2,1", conv(R"("strides":4,"padding":"valid")")), weights), x),
            (Floats{1, 10, 100, 0, 2, 20, 200, 0}));
}

TEST(KerasLayer, PoolingSkipsPads) {
  EXPECT_EQ(apply("3,1", 3, layer("AveragePooling1D", R"("pool_size":2,"padding":"same")")),
            (Floats{1.5, 3}));
  EXPECT_EQ(apply("3,1", 3, layer("MaxPooling1D", R"("pool_size":2,"padding":"valid")")),
            (Floats{2}));
  EXPECT_EQ(apply("2,2", 4, layer("GlobalAveragePooling1D", "")), (Floats{2, 3}));
}

TEST(KerasLayer, MovementsSeeKerasOrder) {
  const Floats all = {1, 2, 3, 4, 5, 6, 7, 8};
  EXPECT_EQ(apply("2,2,2", 8, layer("Flatten", "")), all);
  EXPECT_EQ(apply("2,2,2", 8, layer("Reshape", R"("target_shape":[4,-1])")), all);
  EXPECT_EQ(apply("2,2,2", 8, layer("Permute", R"("dims":[3,1,2])")),
            (Floats{1, 3, 5, 7, 2, 4, 6, 8}));
  EXPECT_EQ(apply("1,2,2", 4, layer("ZeroPadding2D", R"("padding":[[0,0],[1,0]])")),
            (Floats{0, 0, 1, 2, 3, 4}));
  EXPECT_EQ(apply("1,2,2", 4, layer("Cropping2D", R"("cropping":[[0,0],[1,0]])")), (Floats{3, 4}));
  EXPECT_EQ(apply("1,2,1", 2, layer("UpSampling2D", R"("size":[1,2])")), (Floats{1, 1, 2, 2}));
  EXPECT_EQ(apply("1,2,1", 2, layer("UpSampling2D", R"("size":[1,2],"interpolation":"bilinear")")),
            (Floats{1, 1.25, 1.75, 2}));
}

TEST(KerasLayer, ReluHasCeilingSlopeAndThreshold) {
  const auto relu = [](const char* config, float x) {
    return run(import(sequential("1", layer("ReLU", config))), {x})[0];
  };
  EXPECT_EQ(relu(R"("max_value":2.0)", 3), 2);
  EXPECT_EQ(relu(R"("negative_slope":0.5)", -3), -1.5);
  EXPECT_EQ(relu(R"("threshold":1.0)", 0.75), 0);
  EXPECT_EQ(relu(R"("threshold":1.0,"negative_slope":0.5)", -1), -1);
  EXPECT_EQ(relu(R"("threshold":1.0)", 1.5), 1.5);
}

TEST(KerasLayer, HardSigmoidDependsOnTheVersionAndOnQKeras) {
  const auto sigmoid = [](const char* class_name, const char* version) {
    std::string config = sequential("1", layer(class_name, R"("activation":"hard_sigmoid")"));
    config.replace(config.find("2.13.1"), 6, version);
    return run(import(config), {0.5f})[0];
  };
  EXPECT_FLOAT_EQ(sigmoid("Activation", "2.13.1"), 0.6f);
  EXPECT_FLOAT_EQ(sigmoid("Activation", "3.1.0"), 0.5f + 0.5f / 6);
  EXPECT_FLOAT_EQ(sigmoid("QActivation", "2.13.1"), 0.75f);
}

TEST(KerasLayer, BatchNormalizationKeepsItsFourParameters) {
  Weights weights;
  weights.add("l", "l/gamma", {1}, {2}).add("l", "l/beta", {1}, {1});
  weights.add("l", "l/moving_mean", {1}, {3}).add("l", "l/moving_variance", {1}, {4});
  const Graph graph =
      import(sequential("1", layer("BatchNormalization", R"("axis":[1],"epsilon":0)")), weights);
  EXPECT_EQ(run(graph, {7}), (Floats{5}));
  ASSERT_EQ(graph.stored.size(), 4u);
  for (const StoredTensor& stored : graph.stored) EXPECT_EQ(stored.part, Part::normalization);
}

TEST(KerasLayer, QuantizedLayersStoreCodes) {
  Weights weights;
  weights.add("l", "l/kernel", {1, 2}, {0.3, -9}).add("l", "l/bias", {2}, {0.26, 0});
  const std::string bits =
      R"({"class_name":"quantized_bits","config":{"bits":4,"integer":1,"alpha":1}})";
  for (const char* class_name : {"QDense", "FQDense"}) {
    const Graph graph = import(
        sequential("1",
                   layer(class_name, R"("units":2,"kernel_quantizer":)" + bits +
                                         R"x(,"bias_quantizer":"quantized_bits(3,0,alpha=1)")x")),
        weights);
    EXPECT_EQ(run(graph, {1}), (Floats{0.5, -2}));
    EXPECT_EQ(graph.stored[0].encoding, fixed_point(4, 2));
    EXPECT_EQ(graph.stored[0].words, (std::vector<Word>{1, 8}));
    EXPECT_EQ(graph.stored[0].latent, (Floats{0.3F, -9}));
    EXPECT_EQ(graph.stored[1].encoding, fixed_point(3, 1));
  }
}

}  // namespace
}  // namespace flipscope
