// Element-wise functions of two inputs, and selection between two inputs by a third.
#pragma once

#include "flipscope/ops/op.h"

namespace flipscope {

/// The shape that NumPy's broadcasting of all inputs gives. Throws Error where they do not fit.
Shape output_shape(const Binary& op, std::span<const Shape> inputs);
Shape output_shape(const Select& op, std::span<const Shape> inputs);

/// Comparisons and logical functions give 0 or 1; all others propagate NaN.
template <typename T>
void forward(const Binary& op, std::span<const View<T>> inputs, const Shape& out_shape, T* out,
             int lanes);

template <typename T>
void forward(const Select& op, std::span<const View<T>> inputs, const Shape& out_shape, T* out,
             int lanes);

}  // namespace flipscope
