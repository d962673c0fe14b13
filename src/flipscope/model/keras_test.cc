#include "flipscope/model/keras.h"

#include <gtest/gtest.h>

#include <random>

#include "flipscope/model/array_file.h"
#include "flipscope/model/model.h"
#include "flipscope/model/test_keras.h"
#include "flipscope/numeric/test_data.h"

namespace flipscope {
namespace {

using namespace keras_test;

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

TEST(Keras, LayersStandWhereActivationsDo) {
  Weights weights;
  weights.add("l", "l/kernel", {1, 3}, {1, -1, 4}).add("l", "l/bias", {3}, {0, 0, 0});
  const auto outputs = [&](const std::string& activation) {
    return run(
        import(sequential("1", layer("Dense", R"("units":3,"activation":)" + activation)), weights),
        {1});
  };
  EXPECT_EQ(outputs(R"({"class_name":"LeakyReLU","config":{"name":"a","alpha":0.25}})"),
            (Floats{1, -0.25F, 4}));
  EXPECT_EQ(outputs(R"({"class_name":"ReLU","config":{"name":"a","max_value":3.0}})"),
            (Floats{1, 0, 3}));
  EXPECT_NE(error_of(sequential("1", layer("Dense", R"("units":3,"activation":)"
                                                    R"({"class_name":"PReLU","config":{}})")),
                     weights)
                .find("activation \"PReLU\" is not supported"),
            std::string::npos);
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
