// QKeras's quantizers of activations, composed of operators.
#include <cmath>

#include "flipscope/model/keras_quantizer.h"
#include "flipscope/model/keras_quantizer_grid.h"
#include "flipscope/numeric/error.h"

namespace flipscope {
namespace {

// Operators, one line each.
class Composer {
 public:
  Composer(GraphBuilder& builder, const std::string& node) : builder_(builder), node_(node) {}

  Symbol unary(UnaryFunction function, const Symbol& x, double alpha = 0, double beta = 0) {
    return builder_.add(node_, Unary{function, alpha, beta}, {x});
  }
  Symbol binary(BinaryFunction function, const Symbol& x, double operand) {
    return builder_.add(node_, Binary{function}, {x, literal(operand)});
  }
  Symbol binary(BinaryFunction function, const Symbol& x, const Symbol& y) {
    return builder_.add(node_, Binary{function}, {x, y});
  }
  Symbol literal(double value) { return builder_.literal({ElementType::float32, {1}, {value}}); }
  Symbol at_most(const Symbol& x, double bound) {
    return binary(BinaryFunction::minimum, x, bound);
  }
  Symbol at_least(const Symbol& x, double bound) {
    return binary(BinaryFunction::maximum, x, bound);
  }
  /// To the codes of `format` in steps of `step`; they then stand for `scale`.
  Symbol quantize(const Symbol& x, const NumberFormat& format, double step, double scale) {
    const Encoding encoding{format, {step}, {0.0}, -1};
    if (step == scale) return builder_.fake_quantize(node_, x, encoding, true);
    const Symbol codes = builder_.add(node_, Quantize{encoding, true}, {x});
    return builder_.add(node_, Dequantize{{scale}, -1}, {codes});
  }
  /// clip(x/2 + 1/2, 0, 1) of x/unit, QKeras's sigmoid.
  Symbol hard_sigmoid(const Symbol& x, double unit = 1) {
    return unary(UnaryFunction::hard_sigmoid, x, 0.5 / unit, 0.5);
  }

 private:
  GraphBuilder& builder_;
  const std::string& node_;
};

Symbol sigmoid_relu(Composer& compose, const Symbol& x, const KerasQuantizer& quantizer) {
  const ReluGrid relu = relu_grid(quantizer);
  if (relu.slope != 0 || relu.highest) {
    refuse(quantizer, "with use_sigmoid supports neither negative_slope nor relu_upper_bound");
  }
  const int bits = relu.grid.format.bits;
  const double unit = std::ldexp(relu.grid.step, bits);
  const double step = std::ldexp(1.0, -bits);
  const Symbol p =
      compose.quantize(compose.hard_sigmoid(x, unit), integer_format(bits + 1, false), step, step);
  const Symbol spread =
      compose.binary(BinaryFunction::add, compose.binary(BinaryFunction::multiply, p, 2.0), -1.0);
  return compose.quantize(spread, relu.grid.format, step, relu.grid.step);
}

Symbol fixed_activation(Composer& compose, const Symbol& x, const KerasQuantizer& quantizer) {
  const Grid grid = fixed_grid(quantizer);
  return compose.quantize(x, grid.format, grid.step, grid.step * checked_alpha(quantizer));
}

Symbol hard_swish(Composer& compose, const Symbol& x, const KerasQuantizer& quantizer) {
  const double shift = quantizer.number("relu_shift", 3);
  const double bound = quantizer.number("relu_upper_bound", 6);
  if (!(shift > 0) || !(bound > 0)) {
    refuse(quantizer, "needs relu_shift and relu_upper_bound above 0");
  }
  const Symbol shifted = compose.binary(BinaryFunction::add, x, shift);
  const Symbol gate = compose.at_least(compose.at_most(shifted, bound), 0.0);
  const Symbol product = compose.binary(BinaryFunction::multiply, x, gate);
  return fixed_activation(compose, compose.binary(BinaryFunction::divide, product, bound),
                          quantizer);
}

}  // namespace

Symbol quantize_activation(GraphBuilder& builder, const std::string& node, const Symbol& x,
                           const KerasQuantizer& quantizer) {
  check_noise(quantizer);
  Composer compose(builder, node);
  const std::string& name = quantizer.name;
  if (!quantizer.automatic_scale().empty()) {
    refuse(quantizer, "with an automatic alpha depends on the batch; activations need a number");
  }
  if (name == "quantized_bits") return fixed_activation(compose, x, quantizer);
  if (name == "quantized_hswish") return hard_swish(compose, x, quantizer);
  if (name == "quantized_relu") {
    if (quantizer.flag("use_sigmoid", false)) return sigmoid_relu(compose, x, quantizer);
    const ReluGrid relu = relu_grid(quantizer);
    Symbol y = x;
    if (relu.slope != 0) {
      y = compose.at_least(compose.unary(UnaryFunction::leaky_relu, y, relu.slope), relu.lowest);
    }
    if (relu.highest) y = compose.at_most(y, *relu.highest);
    return compose.quantize(y, relu.grid.format, relu.grid.step, relu.grid.step);
  }
  if (name == "quantized_tanh") {
    if (quantizer.flag("use_real_tanh", false)) {
      refuse(quantizer, "with use_real_tanh has no exact meaning; supported: the hard tanh");
    }
    const int bits = checked_bits(quantizer, 2);
    const double step = std::ldexp(1.0, 1 - bits);
    const Symbol p = compose.binary(
        BinaryFunction::add, compose.binary(BinaryFunction::multiply, compose.hard_sigmoid(x), 2.0),
        -1.0);
    return compose.quantize(p, integer_format(bits, true, quantizer.flag("symmetric", false)), step,
                            step);
  }
  if (name == "quantized_sigmoid") {
    if (quantizer.flag("use_real_sigmoid", false)) {
      refuse(quantizer, "with use_real_sigmoid has no exact meaning; supported: the hard sigmoid");
    }
    const int bits = checked_bits(quantizer, 1);
    const double step = std::ldexp(1.0, -bits);
    Symbol p = compose.hard_sigmoid(x);
    if (quantizer.flag("symmetric", false)) p = compose.at_least(p, step);
    return compose.quantize(p, integer_format(bits, false), step, step);
  }
  if (name == "ternary" || name == "stochastic_ternary") {
    const double threshold = static_cast<float>(quantizer.number("threshold", 0.33));
    if (!(threshold > 0)) refuse(quantizer, "needs a threshold above 0");
    NumberFormat format = integer_format(2, true, true);
    format.rounding = Rounding::half_away_from_zero;
    return compose.quantize(x, format, 2 * threshold, checked_alpha(quantizer));
  }
  if (name == "binary" || name == "stochastic_binary") {
    const double alpha = checked_alpha(quantizer);
    if (!quantizer.flag("use_01", false)) return compose.quantize(x, bipolar_format(), 1, alpha);
    const Symbol bit = compose.binary(BinaryFunction::greater_or_equal, x, 0.0);
    return compose.quantize(bit, integer_format(1, false), 1, alpha);
  }
  refuse(quantizer,
         "is not supported for activations; supported: quantized_bits, quantized_relu, "
         "quantized_tanh, quantized_sigmoid, quantized_hswish, ternary, stochastic_ternary, "
         "binary, stochastic_binary");
}

}  // namespace flipscope
