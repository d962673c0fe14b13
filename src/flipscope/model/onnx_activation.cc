// ONNX's activation functions and other functions of one tensor.
#include <limits>

#include "flipscope/model/onnx_operators.h"

namespace flipscope {
namespace {

using Symbols = std::vector<Symbol>;

template <UnaryFunction function>
Symbols plain(OnnxCall& call) {
  call.ignore({"consumed_inputs"});
  return {call.unary(function, call.in(0))};
}

Symbols clip(OnnxCall& call) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  call.ignore({"consumed_inputs"});
  const Symbol& x = call.in(0);
  const double lowest = call.number("min", -kInfinity);
  const double highest = call.number("max", kInfinity);
  const auto known = [&](std::size_t i) { return !call.has(i) || call.in(i).is_constant(); };
  if (known(1) && known(2)) {
    return {call.unary(UnaryFunction::clip, x,
                       call.has(1) ? call.constant_scalar(1, "min") : lowest,
                       call.has(2) ? call.constant_scalar(2, "max") : highest)};
  }
  Symbol y = x;
  if (call.has(1)) y = call.binary(BinaryFunction::maximum, y, call.in(1));
  if (call.has(2)) y = call.binary(BinaryFunction::minimum, y, call.in(2));
  return {y};
}

Symbols gelu(OnnxCall& call) {
  const std::string approximate = call.text("approximate", "none");
  if (approximate != "none" && approximate != "tanh") {
    OnnxCall::refuse("approximate must be none or tanh, not \"{}\"", approximate);
  }
  return {call.unary(approximate == "tanh" ? UnaryFunction::gelu_tanh : UnaryFunction::gelu,
                     call.in(0))};
}

Symbols swish(OnnxCall& call) {
  const Symbol& x = call.in(0);
  const double alpha = call.number("alpha", 1);
  if (alpha == 1) return {call.unary(UnaryFunction::silu, x)};
  const Symbol scaled = call.binary(BinaryFunction::multiply, x, call.scalar(alpha, x.type));
  return {call.binary(BinaryFunction::multiply, x, call.unary(UnaryFunction::sigmoid, scaled))};
}

Symbols prelu(OnnxCall& call) {
  const Symbol& x = call.in(0);
  Symbol slope = call.in(1);
  // Before opset 7 one slope per channel; since then NumPy's broadcasting.
  if (call.opset < 7 && element_count(slope.shape) > 1 && call.rank(0) > 1) {
    Shape shape(x.shape.size(), 1);
    shape[1] = element_count(slope.shape);
    slope = call.builder.reshape(slope, shape);
  }
  return {call.binary(BinaryFunction::prelu, x, slope)};
}

}  // namespace

void add_activation_operators(OnnxOperatorTable& table) {
  using F = UnaryFunction;
  table["Abs"] = {plain<F::abs>};
  table["Acos"] = {plain<F::acos>};
  table["Acosh"] = {plain<F::acosh>};
  table["Asin"] = {plain<F::asin>};
  table["Asinh"] = {plain<F::asinh>};
  table["Atan"] = {plain<F::atan>};
  table["Atanh"] = {plain<F::atanh>};
  table["Ceil"] = {plain<F::ceil>};
  table["Cos"] = {plain<F::cos>};
  table["Cosh"] = {plain<F::cosh>};
  table["Erf"] = {plain<F::erf>};
  table["Exp"] = {plain<F::exp>};
  table["Floor"] = {plain<F::floor>};
  table["HardSwish"] = {plain<F::hard_swish>};
  table["Log"] = {plain<F::log>};
  table["Mish"] = {plain<F::mish>};
  table["Neg"] = {plain<F::negative>};
  table["Reciprocal"] = {plain<F::reciprocal>};
  table["Relu"] = {plain<F::relu>};
  table["Round"] = {plain<F::round_half_even>};
  table["Sigmoid"] = {plain<F::sigmoid>};
  table["Sign"] = {plain<F::sign>};
  table["Sin"] = {plain<F::sin>};
  table["Sinh"] = {plain<F::sinh>};
  table["Softplus"] = {plain<F::softplus>};
  table["Softsign"] = {plain<F::softsign>};
  table["Sqrt"] = {plain<F::sqrt>};
  table["Tan"] = {plain<F::tan>};
  table["Tanh"] = {plain<F::tanh>};

  table["Clip"] = {clip};
  table["Gelu"] = {gelu};
  table["PRelu"] = {prelu};
  table["Swish"] = {swish};
  table["Celu"] = {[](OnnxCall& call) -> Symbols {
    return {call.unary(F::celu, call.in(0), call.number("alpha", 1))};
  }};
  table["Elu"] = {[](OnnxCall& call) -> Symbols {
    call.ignore({"consumed_inputs"});
    return {call.unary(F::elu, call.in(0), call.number("alpha", 1))};
  }};
  table["HardSigmoid"] = {[](OnnxCall& call) -> Symbols {
    call.ignore({"consumed_inputs"});
    const double alpha = call.number("alpha", 0.2F);
    return {call.unary(F::hard_sigmoid, call.in(0), alpha, call.number("beta", 0.5))};
  }};
  table["LeakyRelu"] = {[](OnnxCall& call) -> Symbols {
    call.ignore({"consumed_inputs"});
    return {call.unary(F::leaky_relu, call.in(0), call.number("alpha", 0.01F))};
  }};
  table["Selu"] = {[](OnnxCall& call) -> Symbols {
    call.ignore({"consumed_inputs"});
    const double alpha = call.number("alpha", 1.67326319217681884765625);
    return {
        call.unary(F::selu, call.in(0), alpha, call.number("gamma", 1.05070102214813232421875))};
  }};
  table["Shrink"] = {[](OnnxCall& call) -> Symbols {
    const double lambda = call.number("lambd", 0.5);
    return {call.unary(F::shrink, call.in(0), lambda, call.number("bias", 0))};
  }};
  table["ThresholdedRelu"] = {[](OnnxCall& call) -> Symbols {
    return {call.unary(F::thresholded_relu, call.in(0), call.number("alpha", 1))};
  }};
  table["IsInf"] = {[](OnnxCall& call) -> Symbols {
    const auto negative = static_cast<double>(call.integer("detect_negative", 1));
    const auto positive = static_cast<double>(call.integer("detect_positive", 1));
    return {call.add(Unary{F::is_inf, negative, positive}, {call.in(0)}, ElementType::boolean)};
  }};
  table["IsNaN"] = {[](OnnxCall& call) -> Symbols {
    return {call.add(Unary{F::is_nan}, {call.in(0)}, ElementType::boolean)};
  }};
  table["Not"] = {[](OnnxCall& call) -> Symbols {
    return {call.add(Unary{F::logical_not}, {call.in(0)}, ElementType::boolean)};
  }};
}

}  // namespace flipscope
