// ONNX's matrix products.
#include "flipscope/model/onnx_operators.h"

namespace flipscope {
namespace {

using Symbols = std::vector<Symbol>;

// Products of vectors are products of matrices with an axis more.
Symbols matrix_product(OnnxCall& call) {
  return {call.add(MatrixProduct{}, {call.in(0), call.in(1)}, call.in(0).type)};
}

Symbols general_matrix_product(OnnxCall& call) {
  call.ignore({"broadcast"});
  Symbol a = call.in(0);
  Symbol b = call.in(1);
  if (call.rank(0) != 2 || call.rank(1) != 2) {
    OnnxCall::refuse("A and B must be matrices, they are {} and {}", to_string(a.shape),
                     to_string(b.shape));
  }
  if (call.integer("transA", 0) != 0) a = transpose(call, a, {1, 0});
  if (call.integer("transB", 0) != 0) b = transpose(call, b, {1, 0});
  const double alpha = call.number("alpha", 1);
  const double beta = call.number("beta", 1);
  const bool addend = call.has(2) && beta != 0;
  if (addend && alpha == 1 && beta == 1) {
    return {call.add(MatrixProduct{}, {a, b, call.in(2)}, a.type)};
  }
  Symbol y = call.add(MatrixProduct{}, {a, b}, a.type);
  if (alpha != 1) y = call.binary(BinaryFunction::multiply, y, call.scalar(alpha, a.type));
  if (!addend) return {y};
  Symbol c = call.in(2);
  if (beta != 1) c = call.binary(BinaryFunction::multiply, c, call.scalar(beta, a.type));
  return {call.binary(BinaryFunction::add, y, c)};
}

// The axis of a matrix product's operand that a list of zero points or scales runs along: rows of
// the left one, columns of the right one.
std::int64_t operand_axis(const Symbol& x, std::size_t parameters, bool left) {
  if (parameters <= 1) return -1;
  const auto rank = static_cast<std::int64_t>(x.shape.size());
  return left && rank > 1 ? rank - 2 : rank - 1;
}

Symbol centered(OnnxCall& call, std::size_t operand, std::size_t zero_point, bool left) {
  const Symbol& x = call.in(operand);
  const double carried = call.zero_points[operand];
  if (!call.has(zero_point)) return dequantize(call, x, carried, {1}, {0}, -1);
  const Symbol& z = call.in(zero_point);
  if (z.is_constant()) {
    return dequantize(call, x, carried, {1}, *z.constant,
                      operand_axis(x, z.constant->size(), left));
  }
  if (element_count(z.shape) != 1) {
    OnnxCall::refuse("zero points along an axis must be constants");
  }
  return call.add(Binary{BinaryFunction::subtract}, {call.decoded(operand), z}, ElementType::int32);
}

Symbols product_of_integers(OnnxCall& call) {
  const Symbol a = centered(call, 0, 2, true);
  const Symbol b = centered(call, 1, 3, false);
  return {call.add(MatrixProduct{}, {a, b}, ElementType::int32)};
}

Symbols quantized_product(OnnxCall& call) {
  const auto operand = [&](std::size_t x, bool left) {
    const auto scale = call.constant(x + 1, "a scale");
    const auto zero_point = call.constant(x + 2, "a zero point");
    return dequantize(call, call.in(x), call.zero_points[x], scale, zero_point,
                      operand_axis(call.in(x), std::max(scale.size(), zero_point.size()), left));
  };
  const Symbol a = operand(0, true);
  const Symbol b = operand(3, false);
  const Symbol y = call.add(MatrixProduct{}, {a, b}, ElementType::float32);
  call.output_zero_point = call.constant_scalar(7, "y_zero_point");
  return {quantize(call, y, call.in(7).type, {call.constant_scalar(6, "y_scale")},
                   {call.output_zero_point}, -1)};
}

}  // namespace

void add_matrix_operators(OnnxOperatorTable& table) {
  table["Gemm"] = {general_matrix_product};
  table["MatMul"] = {matrix_product};
  table["MatMulInteger"] = {product_of_integers, true};
  table["QLinearMatMul"] = {quantized_product, true};
}

}  // namespace flipscope
