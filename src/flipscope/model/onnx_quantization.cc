// ONNX's own quantization: QuantizeLinear and DequantizeLinear.
//
// A quantized value is held as centered codes, integer − zero point: what sums of codes need. The
// zero point goes along beside it (OnnxCall::zero_points) for whoever wants the integer itself.
#include <algorithm>
#include <cmath>

#include "flipscope/model/onnx_operators.h"

namespace flipscope {
namespace {

using Symbols = std::vector<Symbol>;
using F = BinaryFunction;

std::optional<NumberFormat> integer_format_of(ElementType type) {
  switch (type) {
    case ElementType::int4:
      return integer_format(4, true);
    case ElementType::uint4:
      return integer_format(4, false);
    case ElementType::int8:
      return integer_format(8, true);
    case ElementType::uint8:
      return integer_format(8, false);
    case ElementType::int16:
      return integer_format(16, true);
    case ElementType::uint16:
      return integer_format(16, false);
    case ElementType::int32:
      return integer_format(32, true);
    case ElementType::uint32:
      return integer_format(32, false);
    default:
      return {};
  }
}

void require_scales(const std::vector<double>& scale) {
  for (const double value : scale) {
    if (!(value > 0) || !std::isfinite(value)) {
      OnnxCall::refuse("scales must be positive numbers, one is {}", value);
    }
  }
}

// One parameter for the tensor, or as many as `count` along its axis.
std::vector<double> spread(const std::vector<double>& values, std::size_t count) {
  return values.size() == count ? values : std::vector<double>(count, values.at(0));
}

Encoding make_encoding(const Symbol& x, ElementType type, const std::vector<double>& scale,
                       const std::vector<double>& zero_point, std::int64_t axis) {
  const auto format = integer_format_of(type);
  if (!format) OnnxCall::refuse("{} is not a type of codes", to_string(type));
  require_scales(scale);
  const std::size_t count = std::max(scale.size(), zero_point.size());
  for (const std::size_t size : {scale.size(), zero_point.size()}) {
    if (size != 1 && size != count) {
      OnnxCall::refuse("{} scales do not go with {} zero points", scale.size(), zero_point.size());
    }
  }
  Encoding encoding;
  encoding.format = *format;
  if (count > 1) {
    const auto rank = static_cast<std::int64_t>(x.shape.size());
    encoding.axis = static_cast<int>(OnnxCall::axis(axis, rank));
    if (x.shape[encoding.axis] != static_cast<std::int64_t>(count)) {
      OnnxCall::refuse("{} scales do not fit axis {} of {}", count, encoding.axis,
                       to_string(x.shape));
    }
  }
  encoding.scale = spread(scale, count);
  encoding.zero_point = spread(zero_point, count);
  return encoding;
}

// Numbers along one axis of a value with `rank` axes, ready for broadcasting.
Symbol along(OnnxCall& call, const Symbol& numbers, std::int64_t axis, std::size_t rank) {
  if (element_count(numbers.shape) == 1) return call.builder.reshape(numbers, {});
  Shape shape(rank, 1);
  shape[OnnxCall::axis(axis, static_cast<std::int64_t>(rank))] = element_count(numbers.shape);
  return call.builder.reshape(numbers, shape);
}

void require_no_blocks(OnnxCall& call) {
  if (call.integer("block_size", 0) != 0) OnnxCall::refuse("block_size is not supported");
}

ElementType code_type(OnnxCall& call) {
  const std::int64_t number = call.integer("output_dtype", 0);
  if (call.has(2)) return call.in(2).type;
  return number == 0 ? ElementType::uint8 : read_element_type(number);
}

// With a scale or zero point that depends on the model's input.
Symbol quantize_by_data(OnnxCall& call, const Symbol& x, ElementType type, std::int64_t axis) {
  const auto format = integer_format_of(type);
  if (!format) OnnxCall::refuse("{} is not a type of codes", to_string(type));
  const std::size_t rank = x.shape.size();
  Symbol y = call.binary(F::divide, x, along(call, call.in(1), axis, rank));
  y = call.unary(UnaryFunction::round_half_even, y);
  if (call.has(2)) y = call.binary(F::add, y, along(call, call.in(2), axis, rank));
  return call.add(Unary{UnaryFunction::clip, lowest(*format), highest(*format)}, {y}, type);
}

Symbols quantize_linear(OnnxCall& call) {
  call.ignore({"saturate", "precision"});
  require_no_blocks(call);
  const Symbol& x = call.in(0);
  const std::int64_t axis = call.integer("axis", 1);
  const ElementType type = code_type(call);
  if (!call.in(1).is_constant() || (call.has(2) && !call.in(2).is_constant())) {
    return {quantize_by_data(call, x, type, axis)};
  }
  const auto& scale = call.constant(1, "y_scale");
  const auto zero_point = call.has(2) ? call.constant(2, "y_zero_point") : std::vector<double>{0};
  if (zero_point.size() == 1) call.output_zero_point = zero_point[0];
  const Symbol codes = quantize(call, x, type, scale, zero_point, axis);
  if (zero_point.size() <= 1) return {codes};
  // Zero points along an axis do not travel: the integers do.
  if (std::all_of(zero_point.begin(), zero_point.end(), [](double z) { return z == 0; })) {
    return {codes};
  }
  return {
      call.binary(F::add, codes, along(call, call.list(zero_point, type), axis, x.shape.size()))};
}

Symbols dequantize_linear(OnnxCall& call) {
  call.ignore({"output_dtype"});
  require_no_blocks(call);
  const Symbol& x = call.in(0);
  const std::int64_t axis = call.integer("axis", 1);
  const bool known = call.in(1).is_constant() && (!call.has(2) || call.in(2).is_constant());
  if (known) {
    const auto zero_point = call.has(2) ? call.constant(2, "x_zero_point") : std::vector<double>{0};
    return {
        dequantize(call, x, call.zero_points[0], call.constant(1, "x_scale"), zero_point, axis)};
  }
  Symbol y = call.decoded(0);
  y.type = ElementType::float32;
  if (call.has(2)) {
    y = call.binary(F::subtract, y, along(call, call.in(2), axis, x.shape.size()));
  }
  return {call.binary(F::multiply, y, along(call, call.in(1), axis, x.shape.size()))};
}

// Scale and zero point from the range of the input itself, which is made to hold 0.
Symbols dynamic_quantize_linear(OnnxCall& call) {
  const Symbol& x = call.in(0);
  std::vector<std::int64_t> axes;
  for (std::int64_t axis = 0; axis < call.rank(0); ++axis) axes.push_back(axis);
  const Symbol zero = call.scalar(0, x.type);
  const Symbol levels = call.scalar(255, x.type);
  const auto extreme = [&](ReduceFunction reduction, F function) {
    return call.binary(function, call.add(Reduce{reduction, axes, false}, {x}, x.type), zero);
  };
  const Symbol high = extreme(ReduceFunction::max, F::maximum);
  const Symbol low = extreme(ReduceFunction::min, F::minimum);
  const Symbol scale = call.binary(F::divide, call.binary(F::subtract, high, low), levels);
  const auto to_code = [&](const Symbol& value) {
    return call.add(Unary{UnaryFunction::clip, 0, 255}, {value}, ElementType::uint8);
  };
  const auto steps = [&](const Symbol& value) {
    return call.unary(UnaryFunction::round_half_even, call.binary(F::divide, value, scale));
  };
  const Symbol zero_point = to_code(steps(call.binary(F::subtract, zero, low)));
  const Symbol y = to_code(call.binary(F::add, steps(x), zero_point));
  return {y, scale, zero_point};
}

}  // namespace

Symbol quantize(OnnxCall& call, const Symbol& x, ElementType type, const std::vector<double>& scale,
                const std::vector<double>& zero_point, std::int64_t axis) {
  return call.add(Quantize{make_encoding(x, type, scale, zero_point, axis), true}, {x}, type);
}

Symbol dequantize(OnnxCall& call, const Symbol& x, double carried_zero_point,
                  const std::vector<double>& scale, const std::vector<double>& zero_point,
                  std::int64_t axis) {
  if (scale.empty() || zero_point.empty()) OnnxCall::refuse("scale and zero point are empty");
  const Encoding encoding = make_encoding(x, x.type, scale, zero_point, axis);
  Symbol codes = x;
  const bool stored = x.is_constant() && !(x.provenance && x.provenance->encoding);
  if (stored) {
    // Integers of the file: they are the words.
    std::vector<double>& numbers = codes.constant.edit();
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      const std::size_t channel = encoding.channel(static_cast<std::int64_t>(i), x.shape);
      numbers[i] += carried_zero_point - encoding.zero_point[channel];
    }
    if (codes.provenance) {
      Provenance& from = *codes.provenance;
      from.encoding = encoding;
      from.as_codes = true;
      if (encoding.axis < 0 && from.changed_by.empty() && !covers_file(from)) {
        from.codes = *from.file_values;
        for (double& code : from.codes) code -= encoding.zero_point[0];
      }
    }
  } else {
    Shape shape(encoding.axis < 0 ? 0 : x.shape.size(), 1);
    if (encoding.axis >= 0) shape[encoding.axis] = x.shape[encoding.axis];
    std::vector<double> shift;
    for (const double z : encoding.zero_point) shift.push_back(carried_zero_point - z);
    if (std::any_of(shift.begin(), shift.end(), [](double z) { return z != 0; })) {
      codes = call.binary(F::add, codes, call.builder.literal({x.type, shape, shift}));
    }
  }
  return call.add(Dequantize{encoding.scale, encoding.axis}, {codes}, ElementType::float32);
}

void add_quantization_operators(OnnxOperatorTable& table) {
  table["DequantizeLinear"] = {dequantize_linear, true};
  table["DynamicQuantizeLinear"] = {dynamic_quantize_linear};
  table["QuantizeLinear"] = {quantize_linear};
}

}  // namespace flipscope
