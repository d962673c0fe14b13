// Pooling: maximum, mean or norm of a window that slides over the spatial axes.
#pragma once

#include <cstdint>
#include <span>
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

/// The windows that have a tap among these offsets, ascending.
std::vector<std::int32_t> windows_met(const PoolingWindows& windows,
                                      std::span<const std::int32_t> offsets);

/// The offsets that some windows read, ascending.
std::vector<std::int32_t> taps_of(const PoolingWindows& windows,
                                  std::span<const std::int32_t> some);

/// Some windows of one channel, as forward() has them: x [offset][lane], out [window][lane].
void pool_windows(const Pooling& op, const PoolingWindows& windows,
                  std::span<const std::int32_t> some, const float* x, float* out, int lanes);

/// Throws Error where the attributes do not fit x [N,C,spatial…].
Shape output_shape(const Pooling& op, std::span<const Shape> inputs);

/// Taps are taken in C order and padded taps are skipped. A window without taps gives −inf (max),
/// 0/0 (average, unless padding counts) or 0 (lp).
template <typename T>
void forward(const Pooling& op, std::span<const View<T>> inputs, const Shape& out_shape, T* out,
             int lanes);

}  // namespace flipscope
