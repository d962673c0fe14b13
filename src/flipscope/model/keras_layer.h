// One Keras layer on its way into a Graph. Keras puts channels last; inside, tensors of three and
// more axes have them first ([N,C,L], [N,C,H,W]), and both orders are kept side by side here.
#pragma once

#include <string>
#include <vector>

#include "flipscope/model/builder.h"
#include "flipscope/model/keras_config.h"
#include "flipscope/model/keras_weights.h"
#include "flipscope/numeric/error.h"

namespace flipscope {

/// A Keras tensor at batch size 1.
struct KerasTensor {
  Symbol symbol;  ///< channels first
  Shape shape;    ///< as Keras has it, channels last
};

/// The order of axes inside: source axis (of Keras) for each axis.
std::vector<std::size_t> channel_first_axes(std::size_t rank);
Shape channel_first(const Shape& keras_shape);

/// One call of a layer, and what handlers need to import it.
struct LayerCall {
  GraphBuilder& builder;
  const KerasWeights& weights;
  Config config;              ///< the layer's own configuration
  std::string class_name;     ///< without QKeras's or FKeras's prefix
  bool is_quantized = false;  ///< the class is QKeras's or FKeras's
  std::string path;           ///< "encoder/conv2d": prefix of its stored tensors
  std::string node;           ///< the same, with the number of the call from the second on
  int keras_major = 2;
  std::vector<KerasTensor> inputs{};

  const KerasTensor& input() const { return inputs[0]; }
  /// "Conv1D": 1, "Conv2D": 2.
  std::size_t spatial_rank() const { return class_name.find("1D") != std::string::npos ? 1 : 2; }

  /// Throws Error naming file and layer.
  template <typename... Args>
  [[noreturn]] void refuse(fmt::format_string<Args...> text, Args&&... args) const {
    fail("keras", "{}: {}", config.where(), fmt::format(text, std::forward<Args>(args)...));
  }
  void require_inputs(std::size_t count) const;
  void require_rank(std::size_t rank) const;
  void require_channels_last() const;

  Symbol add(Op op, std::vector<Symbol> operands) const {
    return builder.add(node, std::move(op), std::move(operands));
  }
  Symbol literal(double value) const {
    return builder.literal({ElementType::float32, {1}, {value}});
  }
  /// Output axis i is axis axes[i] of the symbol.
  Symbol transpose(const Symbol& symbol, const std::vector<std::size_t>& axes) const;
  /// From the order inside to the order of Keras, and back.
  Symbol to_keras(const KerasTensor& tensor) const;
  KerasTensor from_keras(const Symbol& symbol) const;
  KerasTensor wrap(Symbol symbol) const;  ///< of a symbol in the order inside

  /// A stored weight, behind the quantizer that `quantizer_key` of the configuration names.
  Symbol weight(const std::string& name, const Shape& shape, const std::string& quantizer_key = "",
                bool kernel = true) const;
  /// The activation function or quantizer under a key of the configuration.
  KerasTensor activate(const KerasTensor& x, const Config& activation) const;
};

/// The layer's output. Throws Error for a class that is not supported.
KerasTensor import_layer(const LayerCall& call);

/// Where `same`, `valid` and `causal` put zeros along one axis.
struct AxisPadding {
  std::int64_t begin = 0, end = 0, output = 0;
};
AxisPadding axis_padding(const LayerCall& call, std::int64_t input, std::int64_t kernel,
                         std::int64_t stride, std::int64_t dilation);

// Handlers, by what the layer does.
KerasTensor import_dense(const LayerCall& call);
KerasTensor import_convolution(const LayerCall& call);
KerasTensor import_depthwise(const LayerCall& call);
KerasTensor import_separable(const LayerCall& call);
KerasTensor import_transposed_convolution(const LayerCall& call);

KerasTensor import_batch_normalization(const LayerCall& call);
KerasTensor import_layer_normalization(const LayerCall& call);
KerasTensor import_normalization(const LayerCall& call);
KerasTensor import_rescaling(const LayerCall& call);

KerasTensor import_activation(const LayerCall& call);
KerasTensor import_relu(const LayerCall& call);
KerasTensor import_leaky_relu(const LayerCall& call);
KerasTensor import_prelu(const LayerCall& call);
KerasTensor import_elu(const LayerCall& call);
KerasTensor import_thresholded_relu(const LayerCall& call);
KerasTensor import_softmax(const LayerCall& call);

KerasTensor import_pooling(const LayerCall& call);
KerasTensor import_global_pooling(const LayerCall& call);

KerasTensor import_identity(const LayerCall& call);
KerasTensor import_flatten(const LayerCall& call);
KerasTensor import_reshape(const LayerCall& call);
KerasTensor import_permute(const LayerCall& call);
KerasTensor import_repeat(const LayerCall& call);
KerasTensor import_padding(const LayerCall& call);
KerasTensor import_cropping(const LayerCall& call);
KerasTensor import_upsampling(const LayerCall& call);
KerasTensor import_concatenate(const LayerCall& call);
KerasTensor import_merge(const LayerCall& call);

}  // namespace flipscope
