// Keras's activation functions, as layers and as attributes of layers.
#include <functional>
#include <limits>
#include <map>

#include "flipscope/model/keras_layer.h"
#include "flipscope/model/keras_quantizer.h"
#include "flipscope/numeric/error.h"

namespace flipscope {
namespace {

KerasTensor unary(const LayerCall& call, const KerasTensor& x, UnaryFunction function,
                  double alpha = 0, double beta = 0) {
  return {call.add(Unary{function, alpha, beta}, {x.symbol}), x.shape};
}

KerasTensor affine(const LayerCall& call, const KerasTensor& x, double scale, double offset) {
  const Symbol scaled = call.add(Binary{BinaryFunction::multiply}, {x.symbol, call.literal(scale)});
  return {call.add(Binary{BinaryFunction::add}, {scaled, call.literal(offset)}), x.shape};
}

KerasTensor softmax(const LayerCall& call, const KerasTensor& x, std::int64_t axis,
                    Softmax::Kind kind = Softmax::Kind::softmax) {
  const auto rank = static_cast<std::int64_t>(x.shape.size());
  if (axis < 0) axis += rank;
  if (axis < 1 || axis >= rank) call.refuse("softmax along axis {} of {} axes", axis, rank);
  const auto order = channel_first_axes(x.shape.size());
  std::int64_t inside = 0;
  while (order[static_cast<std::size_t>(inside)] != static_cast<std::size_t>(axis)) ++inside;
  return {call.add(Softmax{kind, inside}, {x.symbol}), x.shape};
}

constexpr double kSeluAlpha = 1.6732632423543772848170429916717;
constexpr double kSeluScale = 1.0507009873554804934193349852946;
constexpr double kMost = std::numeric_limits<double>::infinity();

using Function = std::function<KerasTensor(const LayerCall&, const KerasTensor&)>;

Function plain(UnaryFunction function, double alpha = 0, double beta = 0) {
  return [=](const LayerCall& call, const KerasTensor& x) {
    return unary(call, x, function, alpha, beta);
  };
}

/// The functions that QKeras resolves before Keras does.
const std::map<std::string, Function>& qkeras_functions() {
  const auto sigmoid = [](double slope) { return plain(UnaryFunction::hard_sigmoid, slope, 0.5); };
  const auto tanh_of = [](const Function& p) {
    return [p](const LayerCall& call, const KerasTensor& x) {
      return affine(call, p(call, x), 2, -1);
    };
  };
  const Function rounded = [sigmoid](const LayerCall& call, const KerasTensor& x) {
    return unary(call, sigmoid(0.5)(call, x), UnaryFunction::round_half_even);
  };
  static const std::map<std::string, Function> table = {
      {"binary_sigmoid", rounded},         {"binary_tanh", tanh_of(rounded)},
      {"hard_sigmoid", sigmoid(0.5)},      {"hard_tanh", tanh_of(sigmoid(0.5))},
      {"smooth_sigmoid", sigmoid(0.1875)}, {"smooth_tanh", tanh_of(sigmoid(0.1875))},
  };
  return table;
}

const std::map<std::string, Function>& functions() {
  static const std::map<std::string, Function> table = {
      {"elu", plain(UnaryFunction::elu, 1)},
      {"exponential", plain(UnaryFunction::exp)},
      {"gelu", plain(UnaryFunction::gelu)},
      {"hard_sigmoid",
       [](const LayerCall& call, const KerasTensor& x) {
         return unary(call, x, UnaryFunction::hard_sigmoid, call.keras_major >= 3 ? 1.0 / 6 : 0.2,
                      0.5);
       }},
      {"leaky_relu", plain(UnaryFunction::leaky_relu, static_cast<double>(0.2f))},
      {"linear", [](const LayerCall&, const KerasTensor& x) { return x; }},
      {"log_softmax",
       [](const LayerCall& call, const KerasTensor& x) {
         return softmax(call, x, -1, Softmax::Kind::log_softmax);
       }},
      {"mish", plain(UnaryFunction::mish)},
      {"relu", plain(UnaryFunction::relu)},
      {"relu6", plain(UnaryFunction::clip, 0, 6)},
      {"selu", plain(UnaryFunction::selu, kSeluAlpha, kSeluScale)},
      {"sigmoid", plain(UnaryFunction::sigmoid)},
      {"silu", plain(UnaryFunction::silu)},
      {"softmax", [](const LayerCall& call, const KerasTensor& x) { return softmax(call, x, -1); }},
      {"softplus", plain(UnaryFunction::softplus)},
      {"softsign", plain(UnaryFunction::softsign)},
      {"swish", plain(UnaryFunction::silu)},
      {"tanh", plain(UnaryFunction::tanh)},
  };
  return table;
}

/// Layers without weights that may stand where an activation function does.
const std::map<std::string, KerasTensor (*)(const LayerCall&)>& activation_layers() {
  static const std::map<std::string, KerasTensor (*)(const LayerCall&)> table = {
      {"ELU", import_elu},
      {"LeakyReLU", import_leaky_relu},
      {"ReLU", import_relu},
      {"Softmax", import_softmax},
      {"ThresholdedReLU", import_thresholded_relu},
  };
  return table;
}

/// A number of the configuration as float32, which is what Keras computes with.
double float_of(const LayerCall& call, const char* key, double otherwise) {
  return static_cast<float>(call.config.number(key, otherwise));
}

}  // namespace

KerasTensor LayerCall::activate(const KerasTensor& x, const Config& activation) const {
  if (activation.is_null()) return x;
  if (const auto quantizer = parse_keras_quantizer(activation)) {
    return {quantize_activation(builder, node, x.symbol, *quantizer), x.shape};
  }
  const auto layer = activation_layers().find(activation.text("class_name", ""));
  if (layer != activation_layers().end()) {
    LayerCall call = *this;
    call.config = activation["config"].at(config.where());
    call.inputs = {x};
    return layer->second(call);
  }
  Config name = activation;
  if (!name.is_text()) {
    name = activation["config"].is_text() ? activation["config"] : activation["class_name"];
  }
  const std::string text = name.text("activation");
  if (is_quantized) {
    const auto found = qkeras_functions().find(text);
    if (found != qkeras_functions().end()) return found->second(*this, x);
  }
  const auto found = functions().find(text);
  if (found == functions().end()) {
    std::string names;
    for (const auto& [known, unused] : functions()) names += (names.empty() ? "" : ", ") + known;
    refuse("activation \"{}\" is not supported; supported: {}, and QKeras's quantizers", text,
           names);
  }
  return found->second(*this, x);
}

KerasTensor import_activation(const LayerCall& call) {
  call.require_inputs(1);
  return call.activate(call.input(), call.config["activation"]);
}

KerasTensor import_relu(const LayerCall& call) {
  call.require_inputs(1);
  const KerasTensor& x = call.input();
  const double most = float_of(call, "max_value", kMost);
  const double slope = float_of(call, "negative_slope", 0);
  const double threshold = float_of(call, "threshold", 0);
  KerasTensor y = x;
  if (threshold == 0 && slope == 0) {
    y = unary(call, x, UnaryFunction::relu);
  } else if (threshold == 0) {
    y = unary(call, x, UnaryFunction::leaky_relu, slope);
  } else {
    const Symbol above =
        call.add(Binary{BinaryFunction::greater}, {x.symbol, call.literal(threshold)});
    const Symbol below =
        call.add(Binary{BinaryFunction::multiply},
                 {call.add(Binary{BinaryFunction::subtract}, {x.symbol, call.literal(threshold)}),
                  call.literal(slope)});
    y.symbol = call.add(Select{}, {above, x.symbol, below});
  }
  if (most != kMost) {
    y.symbol = call.add(Binary{BinaryFunction::minimum}, {y.symbol, call.literal(most)});
  }
  return y;
}

KerasTensor import_leaky_relu(const LayerCall& call) {
  call.require_inputs(1);
  const char* key = call.config["alpha"].is_null() ? "negative_slope" : "alpha";
  return unary(call, call.input(), UnaryFunction::leaky_relu, float_of(call, key, 0.3));
}

KerasTensor import_prelu(const LayerCall& call) {
  call.require_inputs(1);
  const KerasTensor& x = call.input();
  Shape shape(x.shape.begin() + 1, x.shape.end());
  const Config shared = call.config["shared_axes"];
  for (std::size_t i = 0; i < shared.size(); ++i) {
    const std::int64_t axis = shared[i].integer("shared_axes");
    if (axis < 1 || axis >= static_cast<std::int64_t>(x.shape.size())) {
      call.refuse("shared axis {} is outside of 1..{}", axis, x.shape.size() - 1);
    }
    shape[static_cast<std::size_t>(axis - 1)] = 1;
  }
  const Symbol stored = call.weight("alpha", shape);
  shape.insert(shape.begin(), 1);
  const Symbol slope =
      call.transpose(call.builder.reshape(stored, shape), channel_first_axes(shape.size()));
  return {call.add(Binary{BinaryFunction::prelu}, {x.symbol, slope}), x.shape};
}

KerasTensor import_elu(const LayerCall& call) {
  call.require_inputs(1);
  return unary(call, call.input(), UnaryFunction::elu, float_of(call, "alpha", 1));
}

KerasTensor import_thresholded_relu(const LayerCall& call) {
  call.require_inputs(1);
  return unary(call, call.input(), UnaryFunction::thresholded_relu, float_of(call, "theta", 1));
}

KerasTensor import_softmax(const LayerCall& call) {
  call.require_inputs(1);
  const Config axis = call.config["axis"];
  if (axis.is_array() && axis.size() != 1) call.refuse("softmax over several axes at once");
  return softmax(call, call.input(),
                 axis.is_array() ? axis[0].integer("axis") : call.config.integer("axis", -1));
}

}  // namespace flipscope
