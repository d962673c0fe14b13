// ONNX's operators that make constants.
#include <algorithm>
#include <cmath>

#include "flipscope/model/onnx_operators.h"

namespace flipscope {
namespace {

using Symbols = std::vector<Symbol>;

// A large constant may be a layer's weights, so it has a name and registers as an initializer has.
Symbols constant(OnnxCall& call) {
  if (call.has_attribute("value")) {
    return {call.builder.initializer(call.node.outputs.at(0), call.tensor("value"))};
  }
  if (call.has_attribute("value_float")) {
    return {call.scalar(call.number("value_float", 0), ElementType::float32)};
  }
  if (call.has_attribute("value_int")) {
    const auto value = static_cast<double>(call.integer("value_int", 0));
    return {call.scalar(value, ElementType::int64)};
  }
  if (call.has_attribute("value_floats")) {
    return {call.list(call.numbers("value_floats"), ElementType::float32)};
  }
  if (call.has_attribute("value_ints")) return {call.integer_list(call.integers("value_ints"))};
  OnnxCall::refuse("the value is of a kind that is not supported");
}

Symbols constant_of_shape(OnnxCall& call) {
  Tensor tensor;
  tensor.shape = call.constant_integers(0, "the shape");
  double value = 0;
  if (call.has_attribute("value")) {
    const Tensor& given = call.tensor("value");
    if (given.data.size() != 1) OnnxCall::refuse("value must have one element");
    value = given.data[0];
    tensor.type = given.type;
  }
  tensor.data.assign(static_cast<std::size_t>(bounded_count(tensor.shape)), value);
  return {call.builder.literal(tensor)};
}

Symbols range(OnnxCall& call) {
  const double start = call.constant_scalar(0, "start");
  const double limit = call.constant_scalar(1, "limit");
  const double delta = call.constant_scalar(2, "delta");
  const double steps = std::ceil((limit - start) / delta);
  if (delta == 0 || std::isnan(steps) || steps > 0x1p27) {
    OnnxCall::refuse("a range from {} to {} in steps of {} cannot be made", start, limit, delta);
  }
  std::vector<double> values;
  for (double i = 0; i < steps; ++i) values.push_back(start + i * delta);
  return {call.list(std::move(values), call.in(0).type)};
}

Symbols eye_like(OnnxCall& call) {
  const Symbol& x = call.in(0);
  if (call.rank(0) != 2) OnnxCall::refuse("the input must be a matrix");
  Tensor tensor;
  tensor.shape = x.shape;
  tensor.type = call.has_attribute("dtype") ? read_element_type(call.integer("dtype", 1)) : x.type;
  const std::int64_t k = call.integer("k", 0);
  tensor.data.assign(static_cast<std::size_t>(bounded_count(x.shape)), 0);
  for (std::int64_t row = 0; row < x.shape[0]; ++row) {
    const std::int64_t column = row + k;
    if (column >= 0 && column < x.shape[1]) tensor.data[row * x.shape[1] + column] = 1;
  }
  return {call.builder.literal(tensor)};
}

// Rows of the result are axes, columns are the elements that are not 0.
Symbols non_zero(OnnxCall& call) {
  const auto& x = call.constant(0, "the input");
  const Shape& shape = call.in(0).shape;
  const Shape strides = strides_of(shape);
  Tensor tensor;
  tensor.type = ElementType::int64;
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    for (std::size_t i = 0; i < x.size(); ++i) {
      if (x[i] == 0) continue;
      const std::int64_t place = static_cast<std::int64_t>(i) / strides[axis] % shape[axis];
      tensor.data.push_back(static_cast<double>(place));
    }
  }
  const auto found = std::count_if(x.begin(), x.end(), [](double value) { return value != 0; });
  tensor.shape = {static_cast<std::int64_t>(shape.size()), found};
  return {call.builder.literal(tensor)};
}

// One where the position along the new axis is the index, `off` elsewhere.
Symbols one_hot(OnnxCall& call) {
  Symbol indices = call.in(0);
  const double depth = call.constant_scalar(1, "depth");
  const auto& values = call.constant(2, "values");
  if (values.size() != 2) OnnxCall::refuse("values must be two, off and on");
  if (!(depth >= 0) || depth > 0x1p27) OnnxCall::refuse("depth is {}", depth);
  const std::int64_t axis = OnnxCall::axis(call.integer("axis", -1), call.rank(0) + 1);
  Shape shape = indices.shape;
  shape.insert(shape.begin() + axis, 1);
  indices = call.builder.reshape(indices, shape);
  // Negative indices count from the end.
  const Symbol size = call.scalar(std::trunc(depth), indices.type);
  const Symbol negative = call.add(Binary{BinaryFunction::less},
                                   {indices, call.scalar(0, indices.type)}, ElementType::boolean);
  const Symbol wrapped = call.binary(BinaryFunction::add, indices, size);
  indices = call.add(Select{}, {negative, wrapped, indices}, indices.type);
  Tensor places;
  places.type = indices.type;
  places.shape.assign(shape.size() - static_cast<std::size_t>(axis), 1);
  places.shape[0] = static_cast<std::int64_t>(depth);
  for (std::int64_t i = 0; i < places.shape[0]; ++i) {
    places.data.push_back(static_cast<double>(i));
  }
  const Symbol hot = call.add(Binary{BinaryFunction::equal},
                              {indices, call.builder.literal(places)}, ElementType::boolean);
  const ElementType type = call.in(2).type;
  return {
      call.add(Select{}, {hot, call.scalar(values[1], type), call.scalar(values[0], type)}, type)};
}

}  // namespace

void add_creation_operators(OnnxOperatorTable& table) {
  table["Constant"] = {constant};
  table["ConstantOfShape"] = {constant_of_shape};
  table["EyeLike"] = {eye_like};
  table["NonZero"] = {non_zero};
  table["OneHot"] = {one_hot};
  table["Range"] = {range};
}

}  // namespace flipscope
