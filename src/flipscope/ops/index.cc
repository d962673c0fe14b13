// Index arithmetic that the operators share: axes, offsets, and broadcasting.
#include "flipscope/ops/index.h"

#include <algorithm>
#include <cassert>

#include "flipscope/numeric/error.h"

namespace flipscope {

void require_inputs(const char* op, std::span<const Shape> inputs, std::size_t count) {
  if (inputs.size() != count) {
    fail("shape", "{} has {} inputs, but must have {}", op, inputs.size(), count);
  }
}

std::size_t front_axis(const char* op, std::int64_t axis, const Shape& shape) {
  const auto rank = static_cast<std::int64_t>(shape.size());
  if (axis < -rank || axis >= rank) {
    fail("shape", "{}: axis {} is outside of the input {}; it must be in [{}, {}]", op, axis,
         to_string(shape), -rank, rank - 1);
  }
  return static_cast<std::size_t>(axis < 0 ? axis + rank : axis);
}

void require_axes(const char* op, std::span<const std::int64_t> axes, const Shape& shape) {
  for (std::size_t i = 0; i < axes.size(); ++i) {
    if (axes[i] < 0 || axes[i] >= static_cast<std::int64_t>(shape.size())) {
      fail("shape", "{}: axis {} is outside of the input {}; it must be in [0, {}]", op, axes[i],
           to_string(shape), static_cast<std::int64_t>(shape.size()) - 1);
    }
    if (i > 0 && axes[i] <= axes[i - 1]) {
      fail("shape", "{}: axes must be sorted and distinct, but {} follows {}", op, axes[i],
           axes[i - 1]);
    }
  }
}

Shape reduced_shape(const Shape& shape, std::span<const std::int64_t> axes, bool keep_dims) {
  Shape result;
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    const bool reduced =
        std::binary_search(axes.begin(), axes.end(), static_cast<std::int64_t>(axis));
    if (!reduced)
      result.push_back(shape[axis]);
    else if (keep_dims)
      result.push_back(1);
  }
  return result;
}

std::vector<std::int64_t> offsets_over(const Shape& shape, std::span<const std::int64_t> axes) {
  const Shape strides = strides_of(shape);
  std::vector<std::int64_t> offsets{0};
  for (const std::int64_t axis : axes) {
    std::vector<std::int64_t> longer;
    longer.reserve(offsets.size() * shape[axis]);
    for (const std::int64_t offset : offsets) {
      for (std::int64_t i = 0; i < shape[axis]; ++i) longer.push_back(offset + i * strides[axis]);
    }
    offsets = std::move(longer);
  }
  return offsets;
}

std::vector<std::int64_t> other_axes(const Shape& shape, std::span<const std::int64_t> axes) {
  std::vector<std::int64_t> others;
  for (std::int64_t axis = 0; axis < static_cast<std::int64_t>(shape.size()); ++axis) {
    if (std::find(axes.begin(), axes.end(), axis) == axes.end()) others.push_back(axis);
  }
  return others;
}

AxisSplit split_at(const Shape& shape, std::size_t axis) {
  AxisSplit split;
  for (std::size_t i = 0; i < axis; ++i) split.outer *= shape[i];
  split.length = shape[axis];
  for (std::size_t i = axis + 1; i < shape.size(); ++i) split.inner *= shape[i];
  return split;
}

BroadcastWalk::BroadcastWalk(const Shape& output, std::span<const Shape* const> inputs)
    : axes_(output.size()), index_(output.size()) {
  assert(inputs.size() <= position_.size());
  for (std::size_t axis = 0; axis < output.size(); ++axis) axes_[axis] = {output[axis], {}};
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const Shape& shape = *inputs[i];
    const Shape strides = strides_of(shape);
    assert(shape.size() <= output.size());
    const std::size_t lead = output.size() - shape.size();
    for (std::size_t axis = 0; axis < shape.size(); ++axis) {
      axes_[lead + axis].step[i] = shape[axis] == 1 ? 0 : strides[axis];
    }
  }
}

void BroadcastWalk::next() {
  for (std::size_t axis = axes_.size(); axis-- > 0;) {
    const Axis& walked = axes_[axis];
    if (++index_[axis] < walked.length) {
      for (std::size_t i = 0; i < position_.size(); ++i) position_[i] += walked.step[i];
      return;
    }
    index_[axis] = 0;
    for (std::size_t i = 0; i < position_.size(); ++i) {
      position_[i] -= (walked.length - 1) * walked.step[i];
    }
  }
}

}  // namespace flipscope
