// Element-wise functions of one input.
#pragma once

#include "flipscope/ops/op.h"

namespace flipscope {

/// The shape of the one input.
Shape output_shape(const Unary& op, std::span<const Shape> inputs);

/// NaN gives NaN everywhere but in is_inf, is_nan and logical_not, which give 0 or 1.
template <typename T>
void forward(const Unary& op, std::span<const View<T>> inputs, const Shape& out_shape, T* out,
             int lanes);

}  // namespace flipscope
