// Encoding works in units of the last place: with e the exponent of x (at least that of the
// smallest normal number) and q = round(|x|·2^(m − e)), the word is (e + bias − 1)·2^m + q. For a
// normal number q holds the hidden bit, which carries into the exponent field, and so do a
// mantissa that rounds up to the next power of two and a number that rounds up to infinity.
#include "flipscope/numeric/float_format.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace flipscope {
namespace {

int bias(FloatLayout layout) {
  return (1 << (layout.exponent_bits - 1)) - 1;
}

std::uint32_t infinity_word(FloatLayout layout) {
  return ((std::uint32_t{1} << layout.exponent_bits) - 1) << layout.mantissa_bits;
}

}  // namespace

double decode_float(FloatLayout layout, std::uint32_t word) {
  const std::uint32_t magnitude =
      word & ((std::uint32_t{1} << (layout.exponent_bits + layout.mantissa_bits)) - 1);
  const bool negative = magnitude != word;
  const std::uint32_t infinity = infinity_word(layout);
  if (magnitude > infinity) return std::numeric_limits<double>::quiet_NaN();

  double x = std::numeric_limits<double>::infinity();
  if (magnitude != infinity) {
    const int field = static_cast<int>(magnitude >> layout.mantissa_bits);
    const std::uint32_t hidden = field == 0 ? 0 : std::uint32_t{1} << layout.mantissa_bits;
    const std::uint32_t mantissa = magnitude & ((std::uint32_t{1} << layout.mantissa_bits) - 1);
    x = std::ldexp(static_cast<double>(mantissa | hidden),
                   std::max(field, 1) - bias(layout) - layout.mantissa_bits);
  }
  return negative ? -x : x;
}

std::uint32_t encode_float(FloatLayout layout, double x) {
  const std::uint32_t infinity = infinity_word(layout);
  if (std::isnan(x)) return infinity | (std::uint32_t{1} << (layout.mantissa_bits - 1));
  const std::uint32_t sign = std::uint32_t{std::signbit(x)}
                             << (layout.exponent_bits + layout.mantissa_bits);
  const double magnitude = std::fabs(x);
  if (magnitude > 2 * highest_finite(layout)) return sign | infinity;

  const int smallest = 1 - bias(layout);
  const int exponent = magnitude == 0 ? smallest : std::max(std::ilogb(magnitude), smallest);
  const double units = std::nearbyint(std::ldexp(magnitude, layout.mantissa_bits - exponent));
  const auto field = static_cast<std::uint32_t>(exponent - smallest);
  const std::uint32_t word = (field << layout.mantissa_bits) + static_cast<std::uint32_t>(units);
  return sign | std::min(word, infinity);
}

double highest_finite(FloatLayout layout) {
  return std::ldexp(2.0 - std::ldexp(1.0, -layout.mantissa_bits), bias(layout));
}

}  // namespace flipscope
