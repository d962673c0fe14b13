// Movements of elements as tables: the common part of transposing, slicing, padding and the like.
#include <limits>
#include <numeric>

#include "flipscope/model/onnx_operators.h"

namespace flipscope {
namespace {

// A larger movement or computed constant is not found in networks, but easily asked for by a broken
// file.
constexpr std::int64_t kMostMoved = std::int64_t{1} << 27;

}  // namespace

std::int64_t bounded_count(const Shape& shape) {
  const std::int64_t count = element_count(shape);
  if (count > kMostMoved) {
    OnnxCall::refuse("shape {} has more than 2^27 elements", to_string(shape));
  }
  return count;
}

Symbol rearrange(OnnxCall& call, const std::vector<Symbol>& inputs,
                 std::vector<std::int32_t> source, const Shape& shape, double fill) {
  if (inputs.size() == 1 &&
      static_cast<std::int64_t>(source.size()) == element_count(inputs[0].shape)) {
    std::size_t i = 0;
    while (i < source.size() && source[i] == static_cast<std::int32_t>(i)) ++i;
    if (i == source.size()) return call.builder.reshape(inputs[0], shape);
  }
  Rearrange op;
  op.source = std::move(source);
  op.shape = shape;
  op.fill = fill;
  return call.add(std::move(op), inputs, inputs[0].type);
}

Symbol move_axes(OnnxCall& call, const Symbol& x, const AxisOffsets& offsets, double fill,
                 std::optional<Shape> shape) {
  Shape axes;
  for (const auto& axis : offsets) axes.push_back(static_cast<std::int64_t>(axis.size()));
  bounded_count(x.shape);
  // From the innermost axis outward: the table so far, once per coordinate of the next axis.
  std::vector<std::int32_t> source(bounded_count(axes) > 0 ? 1 : 0, 0);
  for (std::size_t k = source.empty() ? 0 : offsets.size(); k-- > 0;) {
    std::vector<std::int32_t> outer;
    outer.reserve(source.size() * offsets[k].size());
    for (const std::int64_t offset : offsets[k]) {
      for (const std::int32_t inner : source) {
        outer.push_back(offset < 0 || inner < 0 ? -1 : static_cast<std::int32_t>(offset + inner));
      }
    }
    source = std::move(outer);
  }
  return rearrange(call, {x}, std::move(source), shape ? *shape : axes, fill);
}

Symbol transpose(OnnxCall& call, const Symbol& x, const std::vector<std::int64_t>& order) {
  const Shape strides = strides_of(x.shape);
  AxisOffsets offsets;
  for (const std::int64_t axis : order) {
    auto& offset = offsets.emplace_back(x.shape[axis]);
    for (std::int64_t i = 0; i < x.shape[axis]; ++i) offset[i] = i * strides[axis];
  }
  return move_axes(call, x, offsets);
}

}  // namespace flipscope
