// ONNX's element-wise operators of several tensors, and conversions between element types.
#include <cmath>

#include "flipscope/model/onnx_element.h"
#include "flipscope/model/onnx_operators.h"
#include "flipscope/model/stored_array.h"

namespace flipscope {
namespace {

using Symbols = std::vector<Symbol>;
using F = BinaryFunction;

// Number of bits of the integer types whose sums a float32 holds exactly before they wrap.
int wrapping_bits(ElementType type) {
  const int bits = is_integer(type) ? element_bits(type) : 0;
  return bits <= 16 ? bits : 0;
}

bool is_unsigned(ElementType type) {
  return type == ElementType::uint4 || type == ElementType::uint8 || type == ElementType::uint16 ||
         type == ElementType::uint32 || type == ElementType::uint64;
}

// Small integer types wrap around.
Symbol wrap(OnnxCall& call, const Symbol& x, ElementType type) {
  const int bits = wrapping_bits(type);
  if (bits == 0) return x;
  const Symbol period = call.scalar(std::ldexp(1.0, bits), type);
  if (is_unsigned(type)) return call.add(Binary{F::modulo_floor}, {x, period}, type);
  const Symbol half = call.scalar(std::ldexp(1.0, bits - 1), type);
  const Symbol shifted = call.add(Binary{F::add}, {x, half}, ElementType::int32);
  const Symbol low = call.add(Binary{F::modulo_floor}, {shifted, period}, ElementType::int32);
  return call.add(Binary{F::subtract}, {low, half}, type);
}

// Before opset 7 a smaller second operand was laid along the axes that start at `axis`.
Symbol second_operand(OnnxCall& call) {
  Symbol b = call.in(1);
  call.ignore({"consumed_inputs"});
  const bool aligned = call.integer("broadcast", 0) != 0 && call.has_attribute("axis");
  if (!aligned) return b;
  const std::int64_t axis = OnnxCall::axis(call.integer("axis", 0), call.rank(0));
  Shape shape = b.shape;
  if (axis + call.rank(1) > call.rank(0)) {
    OnnxCall::refuse("{} does not fit into {} from axis {}", to_string(shape),
                     to_string(call.in(0).shape), axis);
  }
  shape.resize(static_cast<std::size_t>(call.rank(0) - axis), 1);
  return call.builder.reshape(b, shape);
}

template <F function>
Symbols arithmetic(OnnxCall& call) {
  const Symbol& a = call.in(0);
  const Symbol b = second_operand(call);
  const F used = function == F::divide && is_integer(a.type) ? F::divide_truncating : function;
  const bool small = wrapping_bits(a.type) > 0;
  const Symbol y = call.add(Binary{used}, {a, b}, small ? ElementType::int32 : a.type);
  return {wrap(call, y, a.type)};
}

template <F function>
Symbols truth(OnnxCall& call) {
  const Symbol b = second_operand(call);
  return {call.add(Binary{function}, {call.in(0), b}, ElementType::boolean)};
}

template <F function>
Symbols variadic(OnnxCall& call) {
  call.ignore({"consumed_inputs"});
  Symbol y = call.in(0);
  for (std::size_t i = 1; i < call.inputs.size(); ++i) {
    y = call.binary(function, y, call.in(i));
  }
  return {y};
}

Symbols mean(OnnxCall& call) {
  const Symbol sum = variadic<F::add>(call)[0];
  const auto count = static_cast<double>(call.inputs.size());
  return {call.binary(F::divide, sum, call.scalar(count, sum.type))};
}

Symbols power(OnnxCall& call) {
  const Symbol& x = call.in(0);
  const Symbol exponent = second_operand(call);
  if (!is_integer(x.type)) return {call.binary(F::power, x, exponent)};
  const Symbol y = call.add(Binary{F::power}, {x, exponent}, ElementType::float64);
  return {call.add(Unary{UnaryFunction::truncate}, {y}, x.type)};
}

Symbols modulo(OnnxCall& call) {
  const bool truncated = call.integer("fmod", 0) != 0;
  if (!truncated && !is_integer(call.in(0).type)) {
    OnnxCall::refuse("fmod must be 1 for floating-point inputs");
  }
  return {call.binary(truncated ? F::modulo_truncate : F::modulo_floor, call.in(0), call.in(1))};
}

Symbols where(OnnxCall& call) {
  const Symbol& a = call.in(1);
  return {call.add(Select{}, {call.in(0), a, call.in(2)}, a.type)};
}

}  // namespace

ElementType read_element_type(std::int64_t number) {
  const auto type = onnx_element_type(number);
  if (!type) OnnxCall::refuse("element type number {} is not supported", number);
  return *type;
}

Symbol cast(OnnxCall& call, const Symbol& x, ElementType type) {
  if (x.type == type) return x;
  if (type == ElementType::boolean) {
    const Symbol zero = call.add(Binary{F::equal}, {x, call.scalar(0, x.type)}, type);
    return call.unary(UnaryFunction::logical_not, zero);
  }
  if (type == ElementType::float16 || type == ElementType::bfloat16) {
    Quantize rounding;
    rounding.encoding.format = type == ElementType::float16 ? float16_format() : bfloat16_format();
    return call.add(std::move(rounding), {x}, type);
  }
  if (is_integer(type)) {
    if (is_integer(x.type) || x.type == ElementType::boolean) {
      const Symbol same = call.add(Unary{UnaryFunction::identity}, {x}, type);
      const int bits = wrapping_bits(type);
      const bool fits = x.type == ElementType::boolean ||
                        (wrapping_bits(x.type) > 0 && wrapping_bits(x.type) < bits);
      return fits ? same : wrap(call, same, type);
    }
    return call.add(Unary{UnaryFunction::truncate}, {x}, type);
  }
  if (x.is_constant()) return call.add(Unary{UnaryFunction::identity}, {x}, type);
  Symbol same = x;  // a runtime value is float32 whatever it is called
  same.type = type;
  return same;
}

void add_elementwise_operators(OnnxOperatorTable& table) {
  table["Add"] = {arithmetic<F::add>};
  table["Sub"] = {arithmetic<F::subtract>};
  table["Mul"] = {arithmetic<F::multiply>};
  table["Div"] = {arithmetic<F::divide>};
  table["Pow"] = {power};
  table["Mod"] = {modulo};
  table["Sum"] = {variadic<F::add>};
  table["Max"] = {variadic<F::maximum>};
  table["Min"] = {variadic<F::minimum>};
  table["Mean"] = {mean};
  table["Equal"] = {truth<F::equal>};
  table["Less"] = {truth<F::less>};
  table["LessOrEqual"] = {truth<F::less_or_equal>};
  table["Greater"] = {truth<F::greater>};
  table["GreaterOrEqual"] = {truth<F::greater_or_equal>};
  table["And"] = {truth<F::logical_and>};
  table["Or"] = {truth<F::logical_or>};
  table["Xor"] = {truth<F::logical_xor>};
  table["Where"] = {where};
  table["Cast"] = {[](OnnxCall& call) -> Symbols {
    call.ignore({"saturate", "round_mode"});
    return {cast(call, call.in(0), read_element_type(call.integer("to", 0)))};
  }};
  table["CastLike"] = {[](OnnxCall& call) -> Symbols {
    call.ignore({"saturate", "round_mode"});
    return {cast(call, call.in(0), call.in(1).type)};
  }};
}

}  // namespace flipscope
