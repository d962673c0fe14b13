// Index arithmetic that the operators share: axes, offsets, and broadcasting.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "flipscope/numeric/tensor.h"

namespace flipscope {

/// Throws Error unless the operator called `op` has exactly `count` inputs.
void require_inputs(const char* op, std::span<const Shape> inputs, std::size_t count);

/// `axis` counted from the front, where a negative one counts from the end. Throws Error where it
/// is outside the rank.
std::size_t front_axis(const char* op, std::int64_t axis, const Shape& shape);

/// Throws Error unless `axes` are non-negative, sorted, distinct and inside the rank.
void require_axes(const char* op, std::span<const std::int64_t> axes, const Shape& shape);

/// The shape without `axes`, or with them as 1.
Shape reduced_shape(const Shape& shape, std::span<const std::int64_t> axes, bool keep_dims);

/// Flat offset of every index over `axes` of `shape` (the other indices 0), in C order; {0} where
/// there are no axes.
std::vector<std::int64_t> offsets_over(const Shape& shape, std::span<const std::int64_t> axes);

/// The axes of `shape` that are not in `axes`.
std::vector<std::int64_t> other_axes(const Shape& shape, std::span<const std::int64_t> axes);

/// A shape seen from one axis: elements [outer][length][inner].
struct AxisSplit {
  std::int64_t outer = 1, length = 1, inner = 1;
};
AxisSplit split_at(const Shape& shape, std::size_t axis);

/// Walks the elements of an output in C order, and with them the elements of up to three inputs
/// that NumPy's broadcasting pairs with them.
class BroadcastWalk {
 public:
  BroadcastWalk(const Shape& output, std::span<const Shape* const> inputs);

  /// Element of `input` at the present output element.
  std::int64_t operator[](std::size_t input) const { return position_[input]; }
  void next();

 private:
  struct Axis {
    std::int64_t length;
    std::array<std::int64_t, 3> step;
  };
  std::vector<Axis> axes_;
  std::vector<std::int64_t> index_;
  std::array<std::int64_t, 3> position_{};
};

}  // namespace flipscope
