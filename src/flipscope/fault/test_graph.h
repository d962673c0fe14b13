// Small networks for the tests of fault spaces and campaigns.
#pragma once

#include <cstdint>
#include <vector>

#include "flipscope/model/builder.h"
#include "flipscope/model/lower.h"
#include "flipscope/numeric/random.h"

namespace flipscope::testing {

inline Symbol random_weights(const GraphBuilder& builder, const std::string& name,
                             const Shape& shape, std::uint64_t stream) {
  Random random(7, stream);
  Tensor tensor{.shape = shape, .data = {}};
  for (std::int64_t i = 0; i < element_count(shape); ++i) {
    tensor.data.push_back(static_cast<float>(random.uniform() - 0.5));
  }
  return builder.initializer(name, tensor);
}

/// conv (3×2 kernel, padded, `groups`), relu, fc1 with bias, relu, fc2: 2×5×4 inputs, `classes`
/// outputs. With `bits` > 0 the weights of conv and the input of fc1 are codes of so many bits.
inline Graph small_network(int bits = 0, std::int64_t groups = 1, std::int64_t classes = 3) {
  GraphBuilder builder("test", Layout::channel_first);
  const auto quantize = [&](const char* node, const Symbol& x, int integer_bits, bool is_signed) {
    if (bits == 0) return x;
    return builder.fake_quantize(node, x, fixed_point(bits, integer_bits, is_signed), false);
  };
  Symbol x = builder.add_input("x", {1, 2, 5, 4});
  x = quantize("x_q", x, 2, true);
  const Convolution conv{.stride = {2, 1},
                         .dilation = {1, 2},
                         .pad_begin = {1, 0},
                         .pad_end = {1, 1},
                         .groups = groups,
                         .accumulation = {}};
  x = builder.add(
      "conv", conv,
      {x, quantize("conv_q", random_weights(builder, "conv.weight", {4, 2 / groups, 3, 2}, 1), 1,
                   true)});
  x = builder.add("relu1", Unary{UnaryFunction::relu, 0, 0}, {x});
  x = quantize("relu1_q", x, 2, false);
  x = builder.reshape(x, {1, element_count(x.shape)});
  x = builder.add("fc1", MatrixProduct{},
                  {x, random_weights(builder, "fc1.weight", {x.shape[1], 6}, 2),
                   random_weights(builder, "fc1.bias", {6}, 3)});
  x = builder.add("relu2", Unary{UnaryFunction::relu, 0, 0}, {x});
  x = builder.add("fc2", MatrixProduct{},
                  {x, random_weights(builder, "fc2.weight", {6, classes}, 4)});
  Graph graph = builder.finish("small", {x}, {"y"});
  lower(graph);
  return graph;
}

/// Samples of small_network() in [−2, 2), 0 now and then.
inline std::vector<float> small_inputs(std::int64_t count, std::uint64_t stream = 9) {
  Random random(11, stream);
  std::vector<float> values(static_cast<std::size_t>(count * 2 * 5 * 4));
  for (float& value : values) {
    value = random.below(10) == 0 ? 0.0f : static_cast<float>(random.uniform() * 4 - 2);
  }
  return values;
}

}  // namespace flipscope::testing
