// Rounding to an integer in plain arithmetic, which compilers vectorise on every instruction set.
#pragma once

#include <cmath>

#include "flipscope/numeric/number_format.h"

namespace flipscope {

/// Nearest integer, ties to even; NaN and infinities stay, and −0 keeps its sign.
///
/// From 2^23 (2^52 for double) on, every number is an integer; below, adding this number pushes
/// the fraction out of the significand, and the processor rounds it as we want.
template <typename T>
inline T round_half_even(T x) {
  constexpr T whole = sizeof(T) == 4 ? static_cast<T>(0x1p23) : static_cast<T>(0x1p52);
  const T size = std::fabs(x);
  const T rounded = std::copysign((size + whole) - whole, x);
  return size < whole ? rounded : x;
}

template <typename T>
inline T round_down(T x) {
  const T nearest = round_half_even(x);
  return nearest > x ? nearest - 1 : nearest;
}

template <typename T>
inline T round_up(T x) {
  return -round_down(-x);
}

/// x to an integer under one rounding rule, as round_to_integer() does it.
template <Rounding rounding, typename T>
inline T round_by(T x) {
  if constexpr (rounding == Rounding::half_even) {
    return round_half_even(x);
  } else if constexpr (rounding == Rounding::ceil) {
    return round_up(x);
  } else if constexpr (rounding == Rounding::floor) {
    return round_down(x);
  } else {
    const T size = std::fabs(x);
    const T floor = round_down(size);
    const T rest = size - floor;  // exact
    bool up = false;
    if constexpr (rounding == Rounding::half_away_from_zero) up = rest >= static_cast<T>(0.5);
    if constexpr (rounding == Rounding::half_toward_zero) up = rest > static_cast<T>(0.5);
    if constexpr (rounding == Rounding::away_from_zero) up = rest > 0;
    return std::copysign(up ? floor + 1 : floor, x);
  }
}

}  // namespace flipscope
