// QONNX: quantizers of any bit width whose values stay floating-point numbers (arXiv:2206.07527).
#include <cctype>
#include <cmath>

#include "flipscope/model/onnx_element_formats.h"
#include "flipscope/model/onnx_operators.h"

namespace flipscope {
namespace {

using Symbols = std::vector<Symbol>;
using F = BinaryFunction;

Rounding read_rounding(OnnxCall& call, const char* otherwise) {
  std::string mode = call.text("rounding_mode", otherwise);
  for (char& c : mode) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  if (mode == "ROUND" || mode == "HALF_EVEN") return Rounding::half_even;
  if (mode == "CEIL") return Rounding::ceil;
  if (mode == "FLOOR") return Rounding::floor;
  if (mode == "UP") return Rounding::away_from_zero;
  if (mode == "DOWN" || mode == "ROUND_TO_ZERO") return Rounding::toward_zero;
  if (mode == "HALF_UP") return Rounding::half_away_from_zero;
  if (mode == "HALF_DOWN") return Rounding::half_toward_zero;
  OnnxCall::refuse(
      "rounding_mode must be ROUND, CEIL, FLOOR, UP, DOWN, HALF_UP or HALF_DOWN, not \"{}\"", mode);
}

// Our own addition to QONNX, whose quantizers always saturate.
Overflow read_overflow(OnnxCall& call) {
  const std::string mode = call.text("overflow_mode", "SATURATE");
  if (mode != "SATURATE" && mode != "WRAP") {
    OnnxCall::refuse("overflow_mode must be SATURATE or WRAP, not \"{}\"", mode);
  }
  return mode == "WRAP" ? Overflow::wrap : Overflow::saturate;
}

// The only axis of x that a parameter varies along, or −1.
int varying_axis(const Symbol& x, const Symbol& parameter) {
  int axis = -1;
  const std::size_t rank = x.shape.size(), own = parameter.shape.size();
  if (own > rank && element_count(parameter.shape) != 1) {
    OnnxCall::refuse("parameters {} do not fit {}", to_string(parameter.shape), to_string(x.shape));
  }
  for (std::size_t k = 0; k < own; ++k) {
    if (parameter.shape[k] == 1) continue;
    if (axis >= 0) {
      OnnxCall::refuse("parameters {} vary along more than one axis", to_string(parameter.shape));
    }
    axis = static_cast<int>(rank - own + k);
    if (x.shape[axis] != parameter.shape[k]) {
      OnnxCall::refuse("parameters {} do not fit {}", to_string(parameter.shape),
                       to_string(x.shape));
    }
  }
  return axis;
}

void read_scale(OnnxCall& call, Encoding& encoding, bool has_zero_point) {
  const Symbol& x = call.in(0);
  encoding.scale = call.constant(1, "scale");
  for (const double scale : encoding.scale) {
    if (!(scale > 0) || !std::isfinite(scale)) {
      OnnxCall::refuse("scale must be positive, it holds {}", scale);
    }
  }
  encoding.axis = varying_axis(x, call.in(1));
  if (!has_zero_point) return;
  encoding.zero_point = call.constant(2, "the zero point");
  const int axis = varying_axis(x, call.in(2));
  if (axis >= 0 && encoding.axis >= 0 && axis != encoding.axis) {
    OnnxCall::refuse("scale and zero point vary along different axes");
  }
  encoding.axis = std::max(axis, encoding.axis);
  const std::size_t count = std::max(encoding.scale.size(), encoding.zero_point.size());
  if (encoding.scale.size() < count) encoding.scale.assign(count, encoding.scale.at(0));
  if (encoding.zero_point.size() < count) {
    encoding.zero_point.assign(count, encoding.zero_point.at(0));
  }
}

int read_bits(double bits, const char* what) {
  if (!(bits >= 1) || bits > 32 || bits != std::floor(bits)) {
    OnnxCall::refuse("{} must be an integer from 1 to 32, it is {}", what, bits);
  }
  return static_cast<int>(bits);
}

Symbols quant(OnnxCall& call) {
  Encoding encoding;
  const bool is_signed = call.integer("signed", 1) != 0;
  const bool narrow = call.integer("narrow", 0) != 0;
  if (has_element_formats(call)) {
    NumberFormat format = integer_format(1, is_signed);
    format.narrow = narrow;
    format.rounding = read_rounding(call, "ROUND");
    format.overflow = read_overflow(call);
    return {quantize_by_element(call, format)};
  }
  const int bits = read_bits(call.constant(3, "bitwidth").at(0), "bitwidth");
  if (narrow && bits == 1) OnnxCall::refuse("a narrow range of one bit has one value only");
  encoding.format = integer_format(bits, is_signed, narrow);
  encoding.format.rounding = read_rounding(call, "ROUND");
  encoding.format.overflow = read_overflow(call);
  read_scale(call, encoding, true);
  return {call.builder.fake_quantize(call.node.name, call.in(0), encoding, false)};
}

Symbols bipolar_quant(OnnxCall& call) {
  Encoding encoding;
  encoding.format = bipolar_format();
  read_scale(call, encoding, false);
  if (encoding.axis >= 0) encoding.zero_point.assign(encoding.scale.size(), 0);
  return {call.builder.fake_quantize(call.node.name, call.in(0), encoding, false)};
}

// Drops the lowest bits of a value that lies on a grid: back to codes, a shift, to numbers again.
Symbols trunc(OnnxCall& call) {
  if (call.inputs.size() != 5 || call.has_attribute("signed")) {
    OnnxCall::refuse("only the version with scale, zero point and two bit widths is supported");
  }
  const Symbol& x = call.in(0);
  const Symbol& scale = call.in(1);
  const Symbol& zero_point = call.in(2);
  call.constant(1, "scale");
  call.constant(2, "the zero point");
  const int dropped = read_bits(call.constant_scalar(3, "in_bitwidth"), "in_bitwidth") -
                      read_bits(call.constant_scalar(4, "out_bitwidth"), "out_bitwidth");
  if (dropped < 0) OnnxCall::refuse("out_bitwidth must not exceed in_bitwidth");
  const Rounding rounding = read_rounding(call, "FLOOR");
  const bool known = rounding == Rounding::floor || rounding == Rounding::ceil ||
                     rounding == Rounding::half_even || rounding == Rounding::toward_zero;
  if (!known) OnnxCall::refuse("rounding_mode must be FLOOR, CEIL, ROUND or DOWN");
  const UnaryFunction function = rounding == Rounding::floor       ? UnaryFunction::floor
                                 : rounding == Rounding::ceil      ? UnaryFunction::ceil
                                 : rounding == Rounding::half_even ? UnaryFunction::round_half_even
                                                                   : UnaryFunction::truncate;
  const Symbol code = call.unary(UnaryFunction::round_half_even,
                                 call.binary(F::add, call.binary(F::divide, x, scale), zero_point));
  const Symbol step = call.scalar(std::ldexp(1.0, dropped), x.type);
  const Symbol kept = call.unary(function, call.binary(F::divide, code, step));
  return {call.binary(F::multiply, call.binary(F::subtract, kept, zero_point), scale)};
}

}  // namespace

void add_qonnx_operators(OnnxOperatorTable& table) {
  table["BipolarQuant"] = {bipolar_quant};
  table["IntQuant"] = {quant};
  table["Quant"] = {quant};
  table["Trunc"] = {trunc};
}

}  // namespace flipscope
