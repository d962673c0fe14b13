// Reduction over axes, and the index of an extreme along one axis.
#pragma once

#include "flipscope/ops/op.h"

namespace flipscope {

/// Throws Error where an axis is outside of the input.
Shape output_shape(const Reduce& op, std::span<const Shape> inputs);
Shape output_shape(const ArgReduce& op, std::span<const Shape> inputs);

/// Sums start at 0 and products at 1, in C order of the elements; NaN gives NaN. log_sum_exp
/// subtracts the maximum first, where that is finite.
template <typename T>
void forward(const Reduce& op, std::span<const View<T>> inputs, const Shape& out_shape, T* out,
             int lanes);

/// As in NumPy, a NaN counts as more extreme than every number.
template <typename T>
void forward(const ArgReduce& op, std::span<const View<T>> inputs, const Shape& out_shape, T* out,
             int lanes);

}  // namespace flipscope
