#include "flipscope/model/keras_layer.h"

#include <algorithm>
#include <map>
#include <numeric>

#include "flipscope/model/keras_quantizer.h"
#include "flipscope/numeric/error.h"

namespace flipscope {
namespace {

using Handler = KerasTensor (*)(const LayerCall&);

/// What a class is imported by, and whether QKeras has it too (with a Q before its name).
struct LayerHandler {
  Handler handler;
  bool quantized = false;
};

const std::map<std::string, LayerHandler>& handlers() {
  static const std::map<std::string, LayerHandler> table = {
      {"Activation", {import_activation, true}},
      {"ActivityRegularization", {import_identity}},
      {"Add", {import_merge}},
      {"AlphaDropout", {import_identity}},
      {"Average", {import_merge}},
      {"AveragePooling1D", {import_pooling}},
      {"AveragePooling2D", {import_pooling, true}},
      {"BatchNormalization", {import_batch_normalization, true}},
      {"Concatenate", {import_concatenate}},
      {"Conv1D", {import_convolution, true}},
      {"Conv1DTranspose", {import_transposed_convolution}},
      {"Conv2D", {import_convolution, true}},
      {"Conv2DTranspose", {import_transposed_convolution, true}},
      {"Cropping1D", {import_cropping}},
      {"Cropping2D", {import_cropping}},
      {"Dense", {import_dense, true}},
      {"DepthwiseConv1D", {import_depthwise}},
      {"DepthwiseConv2D", {import_depthwise, true}},
      {"Dropout", {import_identity}},
      {"ELU", {import_elu}},
      {"Flatten", {import_flatten}},
      {"GaussianDropout", {import_identity}},
      {"GaussianNoise", {import_identity}},
      {"GlobalAveragePooling1D", {import_global_pooling}},
      {"GlobalAveragePooling2D", {import_global_pooling, true}},
      {"GlobalMaxPooling1D", {import_global_pooling}},
      {"GlobalMaxPooling2D", {import_global_pooling}},
      {"Identity", {import_identity}},
      {"LayerNormalization", {import_layer_normalization}},
      {"LeakyReLU", {import_leaky_relu}},
      {"MaxPooling1D", {import_pooling}},
      {"MaxPooling2D", {import_pooling}},
      {"Maximum", {import_merge}},
      {"Minimum", {import_merge}},
      {"Multiply", {import_merge}},
      {"Normalization", {import_normalization}},
      {"PReLU", {import_prelu}},
      {"Permute", {import_permute}},
      {"ReLU", {import_relu}},
      {"RepeatVector", {import_repeat}},
      {"Rescaling", {import_rescaling}},
      {"Reshape", {import_reshape}},
      {"SeparableConv1D", {import_separable, true}},
      {"SeparableConv2D", {import_separable, true}},
      {"Softmax", {import_softmax}},
      {"SpatialDropout1D", {import_identity}},
      {"SpatialDropout2D", {import_identity}},
      {"Subtract", {import_merge}},
      {"ThresholdedReLU", {import_thresholded_relu}},
      {"UpSampling1D", {import_upsampling}},
      {"UpSampling2D", {import_upsampling}},
      {"ZeroPadding1D", {import_padding}},
      {"ZeroPadding2D", {import_padding}},
  };
  return table;
}

std::string supported_classes() {
  std::string names;
  for (const auto& [name, entry] : handlers()) {
    names += (names.empty() ? "" : ", ") + name;
    if (entry.quantized) names += ", Q" + name;
  }
  return names;
}

}  // namespace

std::vector<std::size_t> channel_first_axes(std::size_t rank) {
  std::vector<std::size_t> axes(rank);
  std::iota(axes.begin(), axes.end(), 0);
  if (rank > 2) std::rotate(axes.begin() + 1, axes.end() - 1, axes.end());
  return axes;
}

Shape channel_first(const Shape& keras_shape) {
  Shape shape;
  for (const std::size_t axis : channel_first_axes(keras_shape.size())) {
    shape.push_back(keras_shape[axis]);
  }
  return shape;
}

void LayerCall::require_inputs(std::size_t count) const {
  if (inputs.size() != count) refuse("takes {} inputs, got {}", count, inputs.size());
}

void LayerCall::require_rank(std::size_t rank) const {
  require_inputs(1);
  if (input().shape.size() != rank) {
    refuse("{} takes tensors of {} axes, got {}", class_name, rank, to_string(input().shape));
  }
}

void LayerCall::require_channels_last() const {
  const std::string format = config.text("data_format", "channels_last");
  if (format != "channels_last")
    refuse("data_format \"{}\" is not supported; supported: \"channels_last\"", format);
}

Symbol LayerCall::transpose(const Symbol& symbol, const std::vector<std::size_t>& axes) const {
  Shape shape;
  std::vector<std::size_t> moved;  // axes that matter, in their new order
  for (const std::size_t axis : axes) {
    shape.push_back(symbol.shape[axis]);
    if (symbol.shape[axis] != 1) moved.push_back(axis);
  }
  if (std::is_sorted(moved.begin(), moved.end())) return builder.reshape(symbol, shape);
  const Shape steps = strides_of(symbol.shape);
  std::vector<std::int32_t> source(static_cast<std::size_t>(element_count(shape)));
  Shape at(shape.size(), 0);
  std::int64_t from = 0;
  for (std::int32_t& element : source) {
    element = static_cast<std::int32_t>(from);
    for (std::size_t d = shape.size(); d-- > 0;) {
      from += steps[axes[d]];
      if (++at[d] < shape[d]) break;
      from -= steps[axes[d]] * shape[d];
      at[d] = 0;
    }
  }
  return add(Rearrange{std::move(source), shape}, {symbol});
}

Symbol LayerCall::to_keras(const KerasTensor& tensor) const {
  std::vector<std::size_t> axes(tensor.shape.size());
  std::iota(axes.begin(), axes.end(), 0);
  if (axes.size() > 2) std::rotate(axes.begin() + 1, axes.begin() + 2, axes.end());
  return transpose(tensor.symbol, axes);
}

KerasTensor LayerCall::from_keras(const Symbol& symbol) const {
  return {transpose(symbol, channel_first_axes(symbol.shape.size())), symbol.shape};
}

KerasTensor LayerCall::wrap(Symbol symbol) const {
  Shape shape = symbol.shape;
  if (shape.size() > 2) std::rotate(shape.begin() + 1, shape.begin() + 2, shape.end());
  return {std::move(symbol), std::move(shape)};
}

Symbol LayerCall::weight(const std::string& name, const Shape& shape,
                         const std::string& quantizer_key, bool kernel) const {
  const std::string stored = path + "/" + name;
  Tensor tensor = weights.get(path, name, shape);
  tensor.type = ElementType::float32;
  const Config entry = is_quantized && !quantizer_key.empty() ? config[quantizer_key] : Config();
  if (entry.is_null()) return builder.initializer(stored, tensor);
  const auto quantizer = parse_keras_quantizer(entry);
  if (!quantizer) {
    refuse("`{}` is {}, which is not a quantizer", quantizer_key,
           entry.is_text() ? entry.text("quantizer") : entry.text("class_name", "an object"));
  }
  const QuantizedTensor quantized = quantize_weights(*quantizer, tensor, kernel);
  Symbol symbol = builder.initializer(stored, tensor);  // the file's numbers stay its origin
  symbol.constant = quantized.values.data;
  return builder.fake_quantize(stored, symbol, quantized.encoding, true);
}

AxisPadding axis_padding(const LayerCall& call, std::int64_t input, std::int64_t kernel,
                         std::int64_t stride, std::int64_t dilation) {
  const std::string padding = call.config.text("padding", "valid");
  const std::int64_t reach = (kernel - 1) * dilation + 1;
  AxisPadding result;
  if (padding == "same" || padding == "SAME") {
    result.output = (input + stride - 1) / stride;
    const std::int64_t total =
        std::max<std::int64_t>((result.output - 1) * stride + reach - input, 0);
    result.begin = total / 2;
    result.end = total - result.begin;
    return result;
  }
  if (padding == "causal" && call.class_name == "Conv1D") {
    result.begin = reach - 1;
  } else if (padding != "valid" && padding != "VALID") {
    call.refuse("padding \"{}\" is not supported; supported: \"valid\", \"same\"{}", padding,
                call.class_name == "Conv1D" ? ", \"causal\"" : "");
  }
  const std::int64_t room = input + result.begin - reach;
  if (room < 0) call.refuse("a kernel of {} does not fit an axis of {}", reach, input);
  result.output = room / stride + 1;
  return result;
}

KerasTensor import_layer(const LayerCall& call) {
  const auto found = handlers().find(call.class_name);
  if (found == handlers().end() || (call.is_quantized && !found->second.quantized)) {
    const std::string full = call.is_quantized ? "Q" + call.class_name : call.class_name;
    call.refuse("layers of class {} are not supported; supported: {}", full, supported_classes());
  }
  return found->second.handler(call);
}

}  // namespace flipscope
