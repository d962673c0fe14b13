// Shape arithmetic: element counts, C-order strides, NumPy's broadcasting.
#include "flipscope/numeric/tensor.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cassert>

#include "flipscope/numeric/error.h"

namespace flipscope {

std::int64_t element_count(const Shape& shape) {
  for (const std::int64_t size : shape) {
    if (size < 0) {
      fail("shape", "{} has a negative dimension; dimensions must be 0 or more", to_string(shape));
    }
  }
  if (std::ranges::find(shape, 0) != shape.end()) return 0;
  std::int64_t count = 1;
  for (const std::int64_t size : shape) {
    if (size > kMostElements / count) {
      fail("shape", "{} has too many elements; a tensor may have at most {}", to_string(shape),
           kMostElements);
    }
    count *= size;
  }
  return count;
}

std::string to_string(const Shape& shape) {
  return fmt::format("[{}]", fmt::join(shape, ","));
}

Shape strides_of(const Shape& shape) {
  Shape strides(shape.size());
  std::int64_t stride = 1;
  for (std::size_t axis = shape.size(); axis-- > 0;) {
    strides[axis] = stride;
    stride *= shape[axis];
  }
  return strides;
}

Shape broadcast(const Shape& a, const Shape& b) {
  const std::size_t rank = std::max(a.size(), b.size());
  const auto size_at = [rank](const Shape& shape, std::size_t axis) {
    const std::size_t missing = rank - shape.size();
    return axis < missing ? std::int64_t{1} : shape[axis - missing];
  };
  Shape result(rank);
  for (std::size_t axis = 0; axis < rank; ++axis) {
    const std::int64_t left = size_at(a, axis);
    const std::int64_t right = size_at(b, axis);
    if (left != right && left != 1 && right != 1) {
      fail("shape", "{} and {} cannot be broadcast; dimensions must be equal or 1", to_string(a),
           to_string(b));
    }
    result[axis] = left == 1 ? right : left;
  }
  return result;
}

bool is_integer(ElementType type) {
  switch (type) {
    case ElementType::float32:
    case ElementType::float64:
    case ElementType::float16:
    case ElementType::bfloat16:
    case ElementType::boolean:
      return false;
    default:
      return true;
  }
}

const char* to_string(ElementType type) {
  switch (type) {
    case ElementType::float32:
      return "float32";
    case ElementType::float64:
      return "float64";
    case ElementType::float16:
      return "float16";
    case ElementType::bfloat16:
      return "bfloat16";
    case ElementType::int4:
      return "int4";
    case ElementType::uint4:
      return "uint4";
    case ElementType::int8:
      return "int8";
    case ElementType::uint8:
      return "uint8";
    case ElementType::int16:
      return "int16";
    case ElementType::uint16:
      return "uint16";
    case ElementType::int32:
      return "int32";
    case ElementType::uint32:
      return "uint32";
    case ElementType::int64:
      return "int64";
    case ElementType::uint64:
      return "uint64";
    case ElementType::boolean:
      return "boolean";
  }
  assert(false);
  return "";
}

}  // namespace flipscope
