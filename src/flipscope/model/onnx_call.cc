// What converters ask of an ONNX node: inputs, attributes, constants.
#include <algorithm>
#include <cmath>

#include "flipscope/model/onnx_operators.h"

namespace flipscope {

const Symbol& OnnxCall::in(std::size_t input) const {
  if (!has(input)) refuse("input {} is missing", input);
  return inputs[input];
}

Symbol OnnxCall::decoded(std::size_t input) {
  const Symbol& x = in(input);
  const double zero_point = zero_points.at(input);
  if (zero_point == 0) return x;
  return binary(BinaryFunction::add, x, scalar(zero_point, x.type));
}

bool OnnxCall::has_attribute(const char* name) const {
  return std::any_of(node.attributes.begin(), node.attributes.end(),
                     [&](const OnnxAttribute& attribute) { return attribute.name == name; });
}

const OnnxAttribute* OnnxCall::find(const char* name, OnnxAttribute::Kind kind) {
  using Kind = OnnxAttribute::Kind;
  asked_.insert(name);
  for (const OnnxAttribute& attribute : node.attributes) {
    if (attribute.name != name) continue;
    const bool empty_list =
        attribute.kind == Kind::other && (kind == Kind::integers || kind == Kind::numbers);
    if (attribute.kind != kind && !empty_list) refuse("attribute {} has the wrong type", name);
    return &attribute;
  }
  return nullptr;
}

std::int64_t OnnxCall::integer(const char* name, std::int64_t otherwise) {
  const OnnxAttribute* attribute = find(name, OnnxAttribute::Kind::integer);
  return attribute ? attribute->integer : otherwise;
}

double OnnxCall::number(const char* name, double otherwise) {
  const OnnxAttribute* attribute = find(name, OnnxAttribute::Kind::number);
  return attribute ? attribute->number : otherwise;
}

std::string OnnxCall::text(const char* name, const char* otherwise) {
  const OnnxAttribute* attribute = find(name, OnnxAttribute::Kind::text);
  return attribute ? attribute->text : otherwise;
}

std::vector<std::int64_t> OnnxCall::integers(const char* name,
                                             const std::vector<std::int64_t>& otherwise) {
  const OnnxAttribute* attribute = find(name, OnnxAttribute::Kind::integers);
  return attribute ? attribute->integers : otherwise;
}

std::vector<double> OnnxCall::numbers(const char* name, const std::vector<double>& otherwise) {
  const OnnxAttribute* attribute = find(name, OnnxAttribute::Kind::numbers);
  return attribute ? attribute->numbers : otherwise;
}

const Tensor& OnnxCall::tensor(const char* name) {
  const OnnxAttribute* attribute = find(name, OnnxAttribute::Kind::tensor);
  if (!attribute) refuse("attribute {} is missing", name);
  return attribute->tensor;
}

void OnnxCall::ignore(std::initializer_list<const char*> names) {
  asked_.insert(names.begin(), names.end());
}

void OnnxCall::check_attributes() const {
  for (const OnnxAttribute& attribute : node.attributes) {
    if (!asked_.contains(attribute.name)) {
      refuse("attribute {} is not supported", attribute.name);
    }
  }
}

const std::vector<double>& OnnxCall::constant(std::size_t input, const char* what) const {
  const Symbol& symbol = in(input);
  if (!symbol.is_constant()) {
    refuse("{} must be a constant, \"{}\" depends on the model's input", what,
           node.inputs.at(input));
  }
  return *symbol.constant;
}

std::vector<std::int64_t> OnnxCall::constant_integers(std::size_t input, const char* what) const {
  std::vector<std::int64_t> values;
  for (const double value : constant(input, what)) {
    if (!(std::fabs(value) <= 0x1p62) || value != std::floor(value)) {
      refuse("{} must be integers, one is {}", what, value);
    }
    values.push_back(static_cast<std::int64_t>(value));
  }
  return values;
}

double OnnxCall::constant_scalar(std::size_t input, const char* what) const {
  const auto& values = constant(input, what);
  if (values.size() != 1) {
    refuse("{} must have one element, it has {}", what, values.size());
  }
  return values[0];
}

std::optional<std::vector<std::int64_t>> OnnxCall::integers_or_input(const char* name,
                                                                     std::size_t input) {
  if (has_attribute(name)) return integers(name);
  if (has(input)) return constant_integers(input, name);
  return {};
}

std::int64_t OnnxCall::axis(std::int64_t value, std::int64_t axis_rank) {
  if (value < -axis_rank || value >= axis_rank) {
    refuse("axis {} is out of range for {} axes", value, axis_rank);
  }
  return value < 0 ? value + axis_rank : value;
}

std::vector<std::int64_t> OnnxCall::axes(std::vector<std::int64_t> values, std::int64_t axis_rank) {
  for (auto& value : values) value = axis(value, axis_rank);
  std::sort(values.begin(), values.end());
  if (std::adjacent_find(values.begin(), values.end()) != values.end()) {
    refuse("an axis occurs twice");
  }
  return values;
}

Symbol OnnxCall::unary(UnaryFunction function, const Symbol& x, double alpha, double beta) {
  return add(Unary{function, alpha, beta}, {x}, x.type);
}

Symbol OnnxCall::binary(BinaryFunction function, const Symbol& a, const Symbol& b) {
  return add(Binary{function}, {a, b}, a.type);
}

Symbol OnnxCall::scalar(double value, ElementType type) const {
  return builder.literal({type, {}, {value}});
}

Symbol OnnxCall::list(std::vector<double> values, ElementType type) const {
  const auto size = static_cast<std::int64_t>(values.size());
  return builder.literal({type, {size}, std::move(values)});
}

Symbol OnnxCall::integer_list(const std::vector<std::int64_t>& values) const {
  return list({values.begin(), values.end()}, ElementType::int64);
}

}  // namespace flipscope
