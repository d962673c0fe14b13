// Random small networks for tests: every weighted operator, branches, odd shapes, several formats.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "flipscope/model/builder.h"
#include "flipscope/model/lower.h"
#include "flipscope/numeric/error.h"
#include "flipscope/numeric/random.h"

namespace flipscope::testing {

class RandomNetwork {
 public:
  explicit RandomNetwork(std::uint64_t seed)
      : random_(seed, 0), builder_("test", Layout::channel_first) {}

  /// A lowered network of one input and one output.
  Graph make() {
    const bool quantized = coin();
    Symbol x = builder_.add_input("x", {1, pick(1, 4), pick(3, 8), pick(3, 7)});
    if (quantized) x = quantize_activation(x);
    const int depth = static_cast<int>(pick(1, 4));
    for (int k = 0; k < depth; ++k) {
      x = block(x, quantized);
      if (quantized) x = quantize_activation(x);
    }
    x = builder_.reshape(x, {1, element_count(x.shape)});
    x = dense(x, pick(2, 6), quantized);
    Graph graph = builder_.finish("random", {x}, {"y"});
    lower(graph);
    return graph;
  }

  /// Samples in [−2, 2], some of them 0.
  std::vector<float> samples(const Graph& graph, int count) {
    std::vector<float> values(element_count(graph.values[graph.inputs[0]].shape) * count);
    for (float& value : values) value = pick(0, 9) == 0 ? 0.0f : number();
    return values;
  }

 private:
  std::int64_t pick(std::int64_t from, std::int64_t to) {
    return from + static_cast<std::int64_t>(random_.below(to - from + 1));
  }
  bool coin() { return random_.below(2) == 1; }
  float number() { return static_cast<float>(random_.uniform() * 4 - 2); }
  std::string next_name(const char* kind) { return std::string(kind) + std::to_string(count_++); }

  Symbol weights(const std::string& name, const Shape& shape, bool quantized) {
    Tensor tensor{.shape = shape, .data = {}};
    tensor.data.resize(element_count(shape));
    for (double& value : tensor.data) value = number() * 0.5f;
    Symbol w = builder_.initializer(name, tensor);
    if (!quantized) return w;
    const int bits = static_cast<int>(pick(2, 8));
    if (coin()) return builder_.fake_quantize(name + "_q", w, fixed_point(bits, 1), false);
    Encoding encoding{.format = integer_format(bits)};
    encoding.axis = 0;
    encoding.scale.clear();
    for (std::int64_t c = 0; c < shape[0]; ++c)
      encoding.scale.push_back(0.013 + 0.01 * static_cast<double>(c));
    return builder_.fake_quantize(name + "_q", w, encoding, true);
  }

  Symbol quantize_activation(const Symbol& x) {
    const int bits = static_cast<int>(pick(3, 8));
    return builder_.fake_quantize(next_name("act"), x, fixed_point(bits, 2, coin()), false);
  }

  Symbol convolution(const Symbol& x, bool quantized) {
    const std::string name = next_name("conv");
    const std::int64_t groups = x.shape[1] % 2 == 0 && coin() ? 2 : 1;
    const std::int64_t kh = std::min(pick(1, 3), x.shape[2]), kw = std::min(pick(1, 3), x.shape[3]);
    Convolution op{.stride = {pick(1, 2), pick(1, 2)},
                   .dilation = {2 * kh - 1 > x.shape[2] ? 1 : pick(1, 2), 1},
                   .pad_begin = {pick(0, 2), pick(0, 1)},
                   .pad_end = {pick(1, 2), pick(0, 2)},
                   .groups = groups};
    std::vector<Symbol> inputs{
        x,
        weights(name + ".weight", {groups * pick(1, 6), x.shape[1] / groups, kh, kw}, quantized)};
    if (coin()) {
      const std::int64_t channels = inputs[1].shape[0];
      inputs.push_back(weights(name + ".bias", {channels}, quantized && coin()));
    }
    return builder_.add(name, op, inputs);
  }

  Symbol transposed(const Symbol& x, bool quantized) {
    const std::string name = next_name("deconv");
    TransposedConvolution op{.stride = {2, pick(1, 2)},
                             .dilation = {1, pick(1, 2)},
                             .pad_begin = {pick(0, 1), 0},
                             .pad_end = {0, pick(0, 1)},
                             .output_padding = {pick(0, 1), 0},
                             .groups = 1};
    return builder_.add(name, op,
                        {x, weights(name + ".weight", {x.shape[1], pick(1, 3), 2, 3}, quantized)});
  }

  Symbol dense(const Symbol& x, std::int64_t units, bool quantized) {
    const std::string name = next_name("fc");
    std::vector<Symbol> inputs{x, weights(name + ".weight", {x.shape.back(), units}, quantized)};
    if (coin()) inputs.push_back(weights(name + ".bias", {units}, quantized));
    return builder_.add(name, MatrixProduct{}, inputs);
  }

  Symbol normalization(const Symbol& x) {
    const std::string name = next_name("bn");
    const auto parameter = [&](const char* what, double least) {
      Tensor tensor{.shape = {x.shape[1]}, .data = {}};
      for (std::int64_t c = 0; c < x.shape[1]; ++c) {
        tensor.data.push_back(static_cast<float>(least + random_.uniform()));
      }
      return builder_.initializer(name + what, tensor);
    };
    return builder_.add(name, BatchNormalization{},
                        {x, parameter(".weight", 0.5), parameter(".bias", -0.5),
                         parameter(".running_mean", -0.5), parameter(".running_var", 0.1)});
  }

  Symbol unary(const Symbol& x, UnaryFunction function) {
    return builder_.add(next_name("f"), Unary{function, 0.1}, {x});
  }

  Symbol pooling(const Symbol& x) {
    if (x.shape[2] < 2 || x.shape[3] < 2) return x;
    const std::int64_t h = (x.shape[2] + 1 - 2) / 2 + 1, w = x.shape[3] - 1;
    return builder_.add(next_name("pool"),
                        Pooling{.kind = coin() ? Pooling::Kind::max : Pooling::Kind::average,
                                .kernel = {2, 2},
                                .stride = {2, 1},
                                .dilation = {1, 1},
                                .pad_begin = {1, 0},
                                .output = {h, w},
                                .count_padding = coin(),
                                .pad_end = {0, 0}},
                        {x});
  }

  Symbol block(const Symbol& x, bool quantized) {
    switch (pick(0, 8)) {
      case 0:
        return unary(normalization(convolution(x, quantized)), UnaryFunction::relu);
      case 1:
        return pooling(x);
      case 2:
        return transposed(x, quantized);
      case 3: {  // residual: two branches of one shape
        const Symbol side = unary(x, UnaryFunction::leaky_relu);
        return builder_.add(next_name("add"), Binary{BinaryFunction::add}, {x, side});
      }
      case 4: {  // concatenation along channels
        const Symbol side = unary(x, UnaryFunction::sigmoid);
        Rearrange join{.shape = x.shape};
        join.shape[1] *= 2;
        for (std::int32_t i = 0; i < 2 * element_count(x.shape); ++i) join.source.push_back(i);
        return builder_.add(next_name("concat"), join, {x, side});
      }
      case 5:
        return normalization(x);
      case 6:
        return unary(convolution(x, quantized), UnaryFunction::tanh);
      default:
        return convolution(x, quantized);
    }
  }

  Random random_;
  GraphBuilder builder_;
  int count_ = 0;
};

}  // namespace flipscope::testing
