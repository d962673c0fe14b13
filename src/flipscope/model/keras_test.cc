#include "flipscope/model/keras.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <numeric>
#include <random>

#include "flipscope/model/array_file.h"
#include "flipscope/model/file_bytes.h"
#include "flipscope/model/model.h"
#include "flipscope/numeric/aligned.h"
#include "flipscope/numeric/error.h"
#include "flipscope/numeric/test_data.h"

namespace flipscope {
namespace {

/// The output of one sample, node by node.
std::vector<float> run(const Graph& graph, const std::vector<float>& input) {
  constexpr int kLanes = kLaneGroup;
  std::vector<AlignedVector<float>> values(graph.values.size());
  std::vector<std::vector<double>> wide;
  std::vector<AlignedVector<float>> narrow;
  for (const Constant& constant : graph.constants) {
    wide.push_back(read_constant(graph, constant));
    narrow.emplace_back(wide.back().begin(), wide.back().end());
  }
  AlignedVector<float>& first = values[graph.inputs[0]];
  for (const float x : input) first.insert(first.end(), kLanes, x);
  EXPECT_EQ(element_count(graph.values[graph.inputs[0]].shape),
            static_cast<std::int64_t>(input.size()));
  for (const Node& node : graph.nodes) {
    std::vector<View<float>> views;
    for (const Input& in : node.inputs) {
      View<float> view;
      if (in.kind == Input::Kind::value) view = {values[in.id].data(), &in.shape, false};
      if (in.kind == Input::Kind::constant) {
        view = {narrow[in.id].data(), &in.shape, true, wide[in.id].data()};
      }
      views.push_back(view);
    }
    const Shape& shape = graph.values[node.output].shape;
    values[node.output].resize(static_cast<std::size_t>(element_count(shape)) * kLanes);
    forward<float>(node.op, views, shape, values[node.output].data(), kLanes);
  }
  std::vector<float> output;
  const AlignedVector<float>& last = values[graph.outputs[0]];
  for (std::size_t i = 0; i < last.size(); i += kLanes) output.push_back(last[i]);
  return output;
}

/// A weights file of one group per layer, as Keras 2 writes it.
struct Weights {
  Hdf5Contents contents;

  Weights& add(const std::string& group, const std::string& name, const Shape& shape,
               std::vector<double> data) {
    auto& groups = contents.texts["@layer_names"];
    if (groups.empty() || groups.back() != group) groups.push_back(group);
    contents.texts[group + "@weight_names"].push_back(name + ":0");
    contents.datasets[group + "/" + name + ":0"] = {ElementType::float32, shape, std::move(data)};
    return *this;
  }
};

std::vector<double> counting(std::int64_t count, double first = 1) {
  std::vector<double> numbers(static_cast<std::size_t>(count));
  std::iota(numbers.begin(), numbers.end(), first);
  return numbers;
}

std::string sequential(const std::string& input, const std::string& layers) {
  return R"({"class_name":"Sequential","keras_version":"2.13.1","config":{"name":"m","layers":[
    {"class_name":"InputLayer","config":{"name":"in","batch_input_shape":[null,)" +
         input + "]}}," + layers + "]}}";
}

std::string layer(const std::string& class_name, const std::string& config) {
  return R"({"class_name":")" + class_name + R"(","config":{"name":"l")" +
         (config.empty() ? "" : "," + config) + "}}";
}

Graph import(const std::string& config, const Weights& weights = {}) {
  return import_keras(config, "model.json", weights.contents, "weights.hdf5");
}

std::string error_of(const std::string& config, const Weights& weights = {}) {
  try {
    import(config, weights);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

/// Output of a single layer without weights on the numbers 1, 2, 3, …
std::vector<float> apply(const std::string& input, std::int64_t count, const std::string& one) {
  const auto numbers = counting(count);
  return run(import(sequential(input, one)), {numbers.begin(), numbers.end()});
}

using Floats = std::vector<float>;

TEST(Keras, DenseReadsItsKernelAndBias) {
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

TEST(Keras, DenseActsOnTheLastAxisOfAnyTensor) {
  Weights weights;
  weights.add("l", "l/kernel", {2, 1}, {1, 10});
  const Graph graph =
      import(sequential("2,2", layer("Dense", R"("units":1,"use_bias":false)")), weights);
  EXPECT_EQ(run(graph, {1, 2, 3, 4}), (Floats{21, 43}));
}

TEST(Keras, SamePaddingIsLargerAtTheEnd) {
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

TEST(Keras, ChannelsStandLastInFilesAndSamples) {
  Weights weights;
  weights.add("l", "l/kernel", {1, 1, 2, 2}, {1, 2, 3, 4});
  const Graph graph = import(
      sequential("1,2,2", layer("Conv2D", R"("filters":2,"kernel_size":1,"use_bias":false)")),
      weights);
  EXPECT_EQ(run(graph, {1, 10, 2, 20}), (Floats{31, 42, 62, 84}));
  EXPECT_EQ(graph.stored[0].shape, (Shape{1, 1, 2, 2}));
  EXPECT_EQ(graph.values[graph.outputs[0]].shape, (Shape{1, 1, 2, 2}));
}

TEST(Keras, DepthwiseChannelsDoNotMix) {
  Weights weights;
  weights.add("l", "l/depthwise_kernel", {1, 1, 2, 2}, {1, 2, 3, 4});
  const Graph graph =
      import(sequential("1,1,2", layer("DepthwiseConv2D",
                                       R"("kernel_size":1,"depth_multiplier":2,"use_bias":false)")),
             weights);
  EXPECT_EQ(run(graph, {1, 10}), (Floats{1, 2, 30, 40}));
}

TEST(Keras, TransposedConvolutionIsTheGradientOfAConvolution) {
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

TEST(Keras, PoolingSkipsPads) {
  EXPECT_EQ(apply("3,1", 3, layer("AveragePooling1D", R"("pool_size":2,"padding":"same")")),
            (Floats{1.5, 3}));
  EXPECT_EQ(apply("3,1", 3, layer("MaxPooling1D", R"("pool_size":2,"padding":"valid")")),
            (Floats{2}));
  EXPECT_EQ(apply("2,2", 4, layer("GlobalAveragePooling1D", "")), (Floats{2, 3}));
}

TEST(Keras, MovementsSeeKerasOrder) {
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

TEST(Keras, ReluHasCeilingSlopeAndThreshold) {
  const auto relu = [](const char* config, float x) {
    return run(import(sequential("1", layer("ReLU", config))), {x})[0];
  };
  EXPECT_EQ(relu(R"("max_value":2.0)", 3), 2);
  EXPECT_EQ(relu(R"("negative_slope":0.5)", -3), -1.5);
  EXPECT_EQ(relu(R"("threshold":1.0)", 0.75), 0);
  EXPECT_EQ(relu(R"("threshold":1.0,"negative_slope":0.5)", -1), -1);
  EXPECT_EQ(relu(R"("threshold":1.0)", 1.5), 1.5);
}

TEST(Keras, HardSigmoidDependsOnTheVersionAndOnQKeras) {
  const auto sigmoid = [](const char* class_name, const char* version) {
    std::string config = sequential("1", layer(class_name, R"("activation":"hard_sigmoid")"));
    config.replace(config.find("2.13.1"), 6, version);
    return run(import(config), {0.5f})[0];
  };
  EXPECT_FLOAT_EQ(sigmoid("Activation", "2.13.1"), 0.6f);
  EXPECT_FLOAT_EQ(sigmoid("Activation", "3.1.0"), 0.5f + 0.5f / 6);
  EXPECT_FLOAT_EQ(sigmoid("QActivation", "2.13.1"), 0.75f);
}

TEST(Keras, BatchNormalizationKeepsItsFourParameters) {
  Weights weights;
  weights.add("l", "l/gamma", {1}, {2}).add("l", "l/beta", {1}, {1});
  weights.add("l", "l/moving_mean", {1}, {3}).add("l", "l/moving_variance", {1}, {4});
  const Graph graph =
      import(sequential("1", layer("BatchNormalization", R"("axis":[1],"epsilon":0)")), weights);
  EXPECT_EQ(run(graph, {7}), (Floats{5}));
  ASSERT_EQ(graph.stored.size(), 4u);
  for (const StoredTensor& stored : graph.stored) EXPECT_EQ(stored.part, Part::normalization);
}

/// A Functional model: branches, a shared layer and a nested model.
const char* const kNetwork = R"({"class_name":"Functional","keras_version":"2.13.1","config":{
  "name":"net","input_layers":[["in",0,0]],"output_layers":[["join",0,0]],"layers":[
  {"class_name":"InputLayer","name":"in","config":{"name":"in","batch_input_shape":[null,1]},
   "inbound_nodes":[]},
  {"class_name":"Concatenate","name":"join","config":{"name":"join","axis":-1},
   "inbound_nodes":[[["shared",0,0,{}],["shared",1,0,{}],["inner",1,0,{}]]]},
  {"class_name":"Dense","name":"shared","config":{"name":"shared","units":1,"use_bias":false},
   "inbound_nodes":[[["in",0,0,{}]],[["shared",0,0,{}]]]},
  {"class_name":"Functional","name":"inner","inbound_nodes":[[["shared",1,0,{}]]],"config":{
   "name":"inner","input_layers":[["x",0,0]],"output_layers":[["d",0,0]],"layers":[
   {"class_name":"InputLayer","name":"x","config":{"name":"x","batch_input_shape":[null,1]},
    "inbound_nodes":[]},
   {"class_name":"Dense","name":"d","config":{"name":"d","units":1,"use_bias":false},
    "inbound_nodes":[[["x",0,0,{}]]]}]}}]}})";

Weights network_weights() {
  Weights weights;
  weights.add("shared", "shared/kernel", {1, 1}, {2}).add("inner", "d/kernel", {1, 1}, {5});
  return weights;
}

TEST(Keras, NestedAndSharedLayers) {
  const Graph graph = import(kNetwork, network_weights());
  EXPECT_EQ(run(graph, {3}), (Floats{6, 12, 60}));
  ASSERT_EQ(graph.stored.size(), 2u);
  EXPECT_EQ(graph.stored[0].name, "shared/kernel");
  EXPECT_EQ(graph.stored[1].name, "inner/d/kernel");
  EXPECT_EQ(graph.stored[1].layer, "inner/d");
}

TEST(Keras, ReadsTheConnectionsOfKeras3) {
  const std::string tensor =
      R"({"class_name":"__keras_tensor__","config":{"keras_history":["in",0,0]}})";
  const Graph graph = import(
      R"({"class_name":"Functional","keras_version":"3.3.3","config":{"name":"net",
      "input_layers":["in",0,0],"output_layers":[["add",0,0]],"layers":[
      {"module":"keras.layers","class_name":"InputLayer","name":"in",
       "config":{"name":"in","batch_shape":[null,2]},"inbound_nodes":[]},
      {"class_name":"Add","name":"add","config":{"name":"add"},
       "inbound_nodes":[{"args":[[)" +
      tensor + "," + tensor + R"(]],"kwargs":{}}]}]}})");
  EXPECT_EQ(run(graph, {1, 2}), (Floats{2, 4}));
}

TEST(Keras, QuantizedLayersStoreCodes) {
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
    EXPECT_EQ(graph.stored[1].encoding, fixed_point(3, 1));
  }
}

TEST(Keras, MistakesAreNamed) {
  EXPECT_EQ(error_of("{"), error_of("{"));
  EXPECT_NE(error_of("{").find("[keras] model.json: the model's configuration is not JSON"),
            std::string::npos);
  EXPECT_NE(error_of("[1]").find("no Functional or Sequential model"), std::string::npos);
  const std::string lstm = error_of(sequential("2,2", layer("LSTM", R"("units":2)")));
  EXPECT_NE(lstm.find("[keras] model.json: layer \"l\": layers of class LSTM are not supported; "
                      "supported: Activation, QActivation"),
            std::string::npos)
      << lstm;
  EXPECT_NE(error_of(sequential("4,4,1", layer("QConv2DBatchnorm", R"("filters":2)")))
                .find("class QConv2DBatchnorm are not supported"),
            std::string::npos);
  EXPECT_NE(error_of(sequential("2", layer("Dense", R"("units":2)")))
                .find("weights.hdf5: layer \"l\": the file holds no `kernel`"),
            std::string::npos);
  EXPECT_NE(error_of(sequential("2", layer("Activation", R"x("activation":"quantized_ulaw(4)")x")))
                .find("quantizer quantized_ulaw is not supported; supported: "),
            std::string::npos);
  EXPECT_NE(error_of(sequential("null", layer("Flatten", ""))).find("no fixed size"),
            std::string::npos);
  EXPECT_NE(error_of(sequential("2", layer("Dense", R"("units":2.5)"))).find("`units`"),
            std::string::npos);
  Weights wrong;
  wrong.add("l", "l/kernel", {3, 2}, counting(6)).add("l", "l/bias", {2}, counting(2));
  EXPECT_NE(error_of(sequential("2", layer("Dense", R"("units":2)")), wrong)
                .find("`kernel` must have the shape [2,2], got [3,2]"),
            std::string::npos);
}

TEST(Keras, BrokenConfigurationsAreErrors) {
  std::minstd_rand random(7);
  const std::string sound = kNetwork;
  int refused = 0;
  for (int round = 0; round < 500; ++round) {
    std::string text = sound;
    for (auto edits = 1 + random() % 3; edits > 0; --edits) {
      const std::size_t at = random() % text.size();
      switch (random() % 4) {
        case 0:
          text[at] = static_cast<char>(random());
          break;
        case 1:
          text.erase(at, 1 + random() % 40);
          break;
        case 2:
          text.insert(at, text.substr(random() % text.size(), random() % 40));
          break;
        default:
          text[at] = "0123456789[]{}\",:-"[random() % 18];
          break;
      }
    }
    try {
      import(text, network_weights());
    } catch (const Error& error) {
      ++refused;
      EXPECT_EQ(std::string(error.what()).rfind("[", 0), 0u);
    }
  }
  EXPECT_GT(refused, 250);
}

TEST(Keras, LatentsOfTheDetectorEncodersAreExact) {
  FLIPSCOPE_NEEDS_DATA(samples, "econt/fixtures/calq32_input_8x8.csv");
  const Tensor inputs = read_array(samples);
  for (const std::string size : {"medium", "small"}) {
    FLIPSCOPE_NEEDS_DATA(config, "econt/" + size + "/encoder_" + size + ".json");
    FLIPSCOPE_NEEDS_DATA(weights, "econt/" + size + "/encoder_" + size + ".hdf5");
    FLIPSCOPE_NEEDS_DATA(whole, "econt/" + size + "/autoencoder_" + size + ".json");
    FLIPSCOPE_NEEDS_DATA(whole_weights, "econt/" + size + "/autoencoder_" + size + ".hdf5");
    FLIPSCOPE_NEEDS_DATA(latents, "econt/fixtures/calq32_" + size + "_latent.csv");
    FLIPSCOPE_NEEDS_DATA(outputs, "econt/fixtures/calq32_" + size + "_output.csv");
    const Tensor latent = read_array(latents), output = read_array(outputs);
    const Graph encoder = import_keras(config + ":" + weights);
    const Graph autoencoder = import_keras(whole + ":" + whole_weights);
    for (std::size_t i = 0; i < 32; ++i) {
      const Floats x(inputs.data.begin() + i * 64, inputs.data.begin() + (i + 1) * 64);
      const Floats code = run(encoder, x);
      ASSERT_EQ(code.size(), 16u);
      for (std::size_t k = 0; k < 16; ++k) {
        EXPECT_EQ(code[k], static_cast<float>(latent.data[i * 16 + k]));
      }
      const Floats y = run(autoencoder, x);
      ASSERT_EQ(y.size(), 64u);
      for (std::size_t k = 0; k < 64; ++k) EXPECT_NEAR(y[k], output.data[i * 64 + k], 1e-6);
    }
  }
}

TEST(Keras, ReadsTheCifarNetworks) {
  FLIPSCOPE_NEEDS_DATA(quantized, "cifar10_hls4ml/tiny2_model_best.h5");
  FLIPSCOPE_NEEDS_DATA(plain, "mlperf_tiny/ic_pretrainedResnet.h5");
  std::size_t bits = 0;
  for (const StoredTensor& stored : import_keras(quantized).stored) {
    if (stored.part == Part::weights) bits += stored.words.size() * stored.encoding.format.bits;
  }
  EXPECT_EQ(bits, 459'520u);
  std::size_t weights = 0;
  const Graph resnet = import_keras(plain);
  for (const StoredTensor& stored : resnet.stored) weights += stored.words.size();
  EXPECT_EQ(weights, 78'666u);
  EXPECT_EQ(resnet.values[resnet.outputs[0]].shape, (Shape{1, 10}));
}

}  // namespace
}  // namespace flipscope
