// Pooling: maximum, mean or norm of a window that slides over the spatial axes.
#pragma once

#include "flipscope/ops/op.h"

namespace flipscope {

/// Throws Error where the attributes do not fit x [N,C,spatial…].
Shape output_shape(const Pooling& op, std::span<const Shape> inputs);

/// Taps are taken in C order and padded taps are skipped. A window without taps gives −inf (max),
/// 0/0 (average, unless padding counts) or 0 (lp).
template <typename T>
void forward(const Pooling& op, std::span<const View<T>> inputs, const Shape& out_shape, T* out,
             int lanes);

}  // namespace flipscope
