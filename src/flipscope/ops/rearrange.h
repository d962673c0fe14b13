// Linear maps that no model learns: movements of values, and fixed sparse sums.
#pragma once

#include "flipscope/ops/op.h"

namespace flipscope {

/// op.shape. Throws Error where a source index is outside of the inputs.
Shape output_shape(const Rearrange& op, std::span<const Shape> inputs);
Shape output_shape(const SparseLinear& op, std::span<const Shape> inputs);

template <typename T>
void forward(const Rearrange& op, std::span<const View<T>> inputs, const Shape& out_shape, T* out,
             int lanes);

template <typename T>
void forward(const SparseLinear& op, std::span<const View<T>> inputs, const Shape& out_shape,
             T* out, int lanes);

}  // namespace flipscope
