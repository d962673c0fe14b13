// Shapes, and constant tensors as model files hold them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace flipscope {

using Shape = std::vector<std::int64_t>;

/// The most elements that one tensor may have: larger shapes are a mistake or a broken file.
inline constexpr std::int64_t kMostElements = std::int64_t{1} << 31;

/// The product of the dimensions (1 for a scalar). Throws Error where a dimension is negative or
/// the product exceeds kMostElements.
std::int64_t element_count(const Shape& shape);

/// "[1,3,32,32]".
std::string to_string(const Shape& shape);

/// Elements to step for one step along each axis, in C order.
Shape strides_of(const Shape& shape);

/// The shape that NumPy's broadcasting gives. Throws Error where the two do not fit.
Shape broadcast(const Shape& a, const Shape& b);

/// The element types of model files.
enum class ElementType {
  float32,
  float64,
  float16,
  bfloat16,
  int4,
  uint4,
  int8,
  uint8,
  int16,
  uint16,
  int32,
  uint32,
  int64,
  uint64,
  boolean,
};

bool is_integer(ElementType type);
const char* to_string(ElementType type);

/// A constant as a model file holds it: values in C order. A double holds every element type
/// exactly but integers beyond 2^53, which readers refuse.
struct Tensor {
  ElementType type = ElementType::float32;
  Shape shape;
  std::vector<double> data;
};

}  // namespace flipscope
