// Codes as numbers, [element][lane], and in words, [channel / n][position][lane][channel % n].
#pragma once

#include <cstdint>
#include <optional>

#include "flipscope/engine/ranges.h"
#include "flipscope/model/graph.h"
#include "flipscope/ops/packed_kernels.h"

namespace flipscope {

/// A value [1,C,plane…] whose codes fit bytes or halves.
struct PackedShape {
  Packing packing = Packing::bytes;
  std::int64_t channels = 0;
  std::int64_t plane = 1;
  int zero = 0;        ///< the code 0 … that stands for 0: packed codes are not negative
  double largest = 0;  ///< |centered code|, of all words of the format

  int in_word() const { return codes_in_word(packing); }
  std::int64_t groups() const { return (channels + in_word() - 1) / in_word(); }
  /// What is multiplied, less the centered code.
  int offset() const { return zero + stored_offset(packing); }
  /// With room for whole tiles of channels.
  std::int64_t bytes(int lanes) const {
    return (channels + kTile - 1) / kTile * (kTile / in_word()) * plane * lanes * kWord;
  }
};

/// As halves where the codes, or the weights that meet them, fit no bytes. Nothing where they have
/// no one zero point or more than 16 bits.
std::optional<PackedShape> packed_shape(const Value& value, bool meets_wide_weights);

/// Brings channels [first, last) of numbers into words, at these places of their planes; false
/// where one has no place there (NaN).
bool pack_channels(const PackedShape& shape, const float* numbers, std::int64_t first,
                   std::int64_t last, const Positions& positions, int lanes, std::uint8_t* bytes);

/// The way back.
void unpack_channels(const PackedShape& shape, const std::uint8_t* bytes, std::int64_t first,
                     std::int64_t last, const Positions& positions, int lanes, float* numbers);

}  // namespace flipscope
