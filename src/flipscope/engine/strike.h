// What a fault does to one stored word.
#pragma once

#include "flipscope/fault/fault.h"
#include "flipscope/numeric/number_format.h"

namespace flipscope {

/// The word after the fault's effect on all bits of `mask`.
inline Word strike_mask(FaultEffect effect, Word word, Word mask) {
  switch (effect) {
    case FaultEffect::stuck_at_0:
      return word & ~mask;
    case FaultEffect::stuck_at_1:
      return word | mask;
    case FaultEffect::flip:
      break;
  }
  return word ^ mask;
}

/// The word of element `index` after the fault's effect on one of its stored bits.
inline Word strike(FaultEffect effect, const Encoding& encoding, std::int64_t index, Word word,
                   int bit) {
  return strike_mask(effect, word, encoding.mask(index, bit));
}

/// A runtime value after the fault's effect on one bit of its stored word. `x` is a real number of
/// a float format or a centered code; `channel` picks the zero point. A code that is not a number
/// (its float source was none) has no word and stays as it is.
inline float strike_value(FaultEffect effect, const Encoding& encoding, std::size_t channel,
                          float x, int bit) {
  const NumberFormat& format = encoding.format;
  if (encoding.is_float()) {
    return static_cast<float>(
        decode(format, strike_mask(effect, encode(format, x), Word{1} << bit)));
  }
  if (x != x) return x;
  const double zero = encoding.zero_point_of(channel);
  const Word word = strike_mask(effect, encode(format, x + zero), Word{1} << bit);
  return static_cast<float>(decode(format, word) - zero);
}

}  // namespace flipscope
