// Codes as numbers, [element][lane], and as packed bytes, [channel / 4][position][lane][channel %
// 4].
#pragma once

#include <cstdint>

#include "flipscope/engine/stage.h"

namespace flipscope {

/// Brings channels [first, last) of numbers into bytes, at these places of their planes; false
/// where one is not a byte (NaN).
bool pack_channels(const PackedShape& shape, const float* numbers, std::int64_t first,
                   std::int64_t last, const Positions& positions, int lanes, std::uint8_t* bytes);

/// The way back.
void unpack_channels(const PackedShape& shape, const std::uint8_t* bytes, std::int64_t first,
                     std::int64_t last, const Positions& positions, int lanes, float* numbers);

}  // namespace flipscope
