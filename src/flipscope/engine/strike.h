// What a fault does to one stored word.
#pragma once

#include "flipscope/fault/fault.h"
#include "flipscope/numeric/number_format.h"

namespace flipscope {

/// The word after the fault's effect on one of its bits.
inline Word strike(FaultEffect effect, Word word, int bit) {
  switch (effect) {
    case FaultEffect::stuck_at_0:
      return stuck_at_0(word, bit);
    case FaultEffect::stuck_at_1:
      return stuck_at_1(word, bit);
    case FaultEffect::flip:
      break;
  }
  return flip(word, bit);
}

/// A runtime value after the fault's effect on one bit of its stored word. `x` is a real number of
/// a float format or a centered code; `channel` picks the zero point. A code that is not a number
/// (its float source was none) has no word and stays as it is.
inline float strike_value(FaultEffect effect, const Encoding& encoding, std::size_t channel,
                          float x, int bit) {
  const double zero = encoding.is_float()
                          ? 0.0
                          : encoding.zero_point[encoding.zero_point.size() == 1 ? 0 : channel];
  if (!encoding.is_float() && x != x) return x;
  const Word word = strike(effect, encode(encoding.format, x + zero), bit);
  return static_cast<float>(decode(encoding.format, word) - zero);
}

}  // namespace flipscope
