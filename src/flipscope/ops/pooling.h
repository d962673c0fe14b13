// Pooling: maximum, mean or norm of a window that slides over the spatial axes.
#pragma once

#include <cstdint>
#include <vector>

#include "flipscope/ops/op.h"

namespace flipscope {

/// The taps of every window of one channel: window i has the offsets taps[begin[i] … begin[i+1])
/// into the channel, and the mean divides by divisor[i].
struct PoolingWindows {
  std::vector<std::int64_t> begin{0}, taps, divisor;
};

/// The windows on an input of shape `in`.
PoolingWindows pooling_windows(const Pooling& op, const Shape& in);

/// Throws Error where the attributes do not fit x [N,C,spatial…].
Shape output_shape(const Pooling& op, std::span<const Shape> inputs);

/// Taps are taken in C order and padded taps are skipped. A window without taps gives −inf (max),
/// 0/0 (average, unless padding counts) or 0 (lp).
template <typename T>
void forward(const Pooling& op, std::span<const View<T>> inputs, const Shape& out_shape, T* out,
             int lanes);

}  // namespace flipscope
