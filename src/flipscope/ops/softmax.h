// Softmax, its logarithm, and hardmax along one axis.
#pragma once

#include "flipscope/ops/op.h"

namespace flipscope {

/// The shape of the one input. Throws Error where the axis is outside of it.
Shape output_shape(const Softmax& op, std::span<const Shape> inputs);

/// The sum is in order of the axis. Hardmax puts 1 at the first maximum; a NaN counts as the
/// maximum and stays NaN.
template <typename T>
void forward(const Softmax& op, std::span<const View<T>> inputs, const Shape& out_shape, T* out,
             int lanes);

}  // namespace flipscope
