// Operators on codes that ONNX Runtime adds to ONNX's own (domain com.microsoft): each one is
// DequantizeLinear for every operand, the float operator, QuantizeLinear.
#include <algorithm>

#include "flipscope/model/onnx_operators.h"

namespace flipscope {
namespace {

using Symbols = std::vector<Symbol>;

// Operand `x`, whose scale and zero point are the next two inputs, as real numbers.
Symbol real(OnnxCall& call, std::size_t x, std::int64_t channel_axis = -1) {
  const auto scale = call.constant(x + 1, "a scale");
  const auto zero_point =
      call.has(x + 2) ? call.constant(x + 2, "a zero point") : std::vector<double>{0};
  const bool per_channel = std::max(scale.size(), zero_point.size()) > 1;
  return dequantize(call, call.in(x), call.zero_points[x], scale, zero_point,
                    per_channel ? channel_axis : -1);
}

// The float operator on `operands`, back to codes by the scale and zero point at `scale`.
Symbols apply(OnnxCall& call, const char* op_type, Symbols operands, std::size_t scale) {
  const double step = call.constant_scalar(scale, "the output's scale");
  const bool shifted = call.has(scale + 1);
  const double zero_point = shifted ? call.constant_scalar(scale + 1, "a zero point") : 0;
  const ElementType type = shifted ? call.in(scale + 1).type : ElementType::uint8;
  call.zero_points.assign(operands.size(), 0);
  call.inputs = std::move(operands);
  const Symbol y = onnx_operators().at(op_type).convert(call).at(0);
  call.output_zero_point = zero_point;
  return {quantize(call, y, type, {step}, {zero_point}, -1)};
}

template <const char* op_type>
Symbols one_operand(OnnxCall& call) {
  if (call.integer("channels_last", 0) != 0) OnnxCall::refuse("channels_last is not supported");
  return apply(call, op_type, {real(call, 0)}, 3);
}

template <const char* op_type>
Symbols two_operands(OnnxCall& call) {
  return apply(call, op_type, {real(call, 0), real(call, 3)}, 6);
}

Symbols softmax(OnnxCall& call) {
  call.opset = call.integer("opset", call.opset);
  return apply(call, "Softmax", {real(call, 0)}, 3);
}

Symbols quantized_concat(OnnxCall& call) {
  Symbols operands;
  for (std::size_t x = 2; x + 1 < call.inputs.size(); x += 3) operands.push_back(real(call, x));
  return apply(call, "Concat", std::move(operands), 0);
}

// alpha·A·B + C; C is int32 with scale alpha·(A's scale)·(B's scale).
Symbols quantized_general_product(OnnxCall& call) {
  const bool transposed = call.integer("transB", 0) != 0;
  Symbols operands = {real(call, 0), real(call, 3, transposed ? 0 : 1)};
  if (call.has(6)) {
    const double factor = call.number("alpha", 1) * call.constant_scalar(1, "a_scale");
    std::vector<double> scale = call.constant(4, "b_scale");
    for (double& value : scale) value *= factor;
    operands.push_back(dequantize(call, call.in(6), 0, scale, {0}, scale.size() > 1 ? -1 : 0));
  }
  if (call.has(7)) return apply(call, "Gemm", std::move(operands), 7);
  call.zero_points.assign(operands.size(), 0);
  call.inputs = std::move(operands);
  return onnx_operators().at("Gemm").convert(call);
}

constexpr char kAdd[] = "Add", kMul[] = "Mul", kAveragePool[] = "AveragePool",
               kGlobalAveragePool[] = "GlobalAveragePool", kLeakyRelu[] = "LeakyRelu",
               kSigmoid[] = "Sigmoid";

}  // namespace

void add_qoperators(OnnxOperatorTable& table) {
  table["QGemm"] = {quantized_general_product, true};
  table["QLinearAdd"] = {two_operands<kAdd>, true};
  table["QLinearAveragePool"] = {one_operand<kAveragePool>, true};
  table["QLinearConcat"] = {quantized_concat, true};
  table["QLinearGlobalAveragePool"] = {one_operand<kGlobalAveragePool>, true};
  table["QLinearLeakyRelu"] = {one_operand<kLeakyRelu>, true};
  table["QLinearMul"] = {two_operands<kMul>, true};
  table["QLinearSigmoid"] = {one_operand<kSigmoid>, true};
  table["QLinearSoftmax"] = {softmax, true};
}

}  // namespace flipscope
