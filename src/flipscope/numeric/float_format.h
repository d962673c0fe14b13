// IEEE 754 code words of any exponent and mantissa width: float16, bfloat16 and float32.
#pragma once

#include <cstdint>

namespace flipscope {

/// The fields of an IEEE 754 interchange format, from the top: sign, exponent, mantissa. The
/// exponent bias is 2^(exponent_bits − 1) − 1.
struct FloatLayout {
  int exponent_bits;
  int mantissa_bits;
};

inline constexpr FloatLayout kFloat32{8, 23};
inline constexpr FloatLayout kFloat16{5, 10};
inline constexpr FloatLayout kBfloat16{8, 7};

/// The number that a word stands for, exactly; every NaN word gives the canonical quiet NaN.
double decode_float(FloatLayout layout, std::uint32_t word);

/// The word nearest to x, ties to even. Numbers that round beyond the largest finite one give an
/// infinity, NaN gives the positive quiet NaN with a zero payload.
std::uint32_t encode_float(FloatLayout layout, double x);

/// The largest finite number.
double highest_finite(FloatLayout layout);

}  // namespace flipscope
