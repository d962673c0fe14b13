// A convolution in tiles that stay in the caches. For convolution.cc.
//
// Position by position, all weights pass by for each position: of 512 × 512 × 3 × 3 they are 9 MB,
// more than a core's own cache. Here a stretch of input channels meets some rows (output channels)
// at many positions while its weights stay; the sums wait in the output. Each sum has the same
// terms in the same order, so its bits are the same.
#pragma once

#include <cstdint>
#include <span>

#include "flipscope/ops/op.h"

namespace flipscope {

/// True where tiles serve: float32 sums without rescale that are too long for the first cache, and
/// enough rows.
bool runs_in_tiles(const Convolution& op, std::span<const View<float>> inputs, int lanes,
                   std::int64_t rows);

/// Output channels [first, last) of every batch element at these positions.
void run_in_tiles(const Convolution& op, std::span<const View<float>> inputs, const Shape& y,
                  float* out, int lanes, std::span<const std::int32_t> positions,
                  std::int64_t first, std::int64_t last);

}  // namespace flipscope
