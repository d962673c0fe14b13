// Words to numbers and back, for every kind of format.
#include "flipscope/numeric/number_format.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cassert>
#include <cmath>
#include <limits>

#include "flipscope/numeric/error.h"
#include "flipscope/numeric/float_format.h"

namespace flipscope {
namespace {

using Kind = NumberFormat::Kind;

FloatLayout layout_of(const NumberFormat& format) {
  switch (format.kind) {
    case Kind::float16:
      return kFloat16;
    case Kind::bfloat16:
      return kBfloat16;
    default:
      return kFloat32;
  }
}

NumberFormat float_format(Kind kind, int bits) {
  NumberFormat format;
  format.kind = kind;
  format.bits = bits;
  return format;
}

[[maybe_unused]] bool fits(const NumberFormat& format, Word word) {
  return format.bits == 32 || (word >> format.bits) == 0;
}

/// The number of exponents that the low bits can hold.
int exponent_codes(const NumberFormat& format) {
  return 1 << (format.bits - format.is_signed);
}

double decode_integer(const NumberFormat& format, Word word) {
  if (!format.is_signed) return word;
  const int unused = 32 - format.bits;
  return static_cast<std::int32_t>(word << unused) >> unused;
}

Word encode_integer(const NumberFormat& format, double x) {
  if (std::isnan(x)) return 0;
  double code = round_to_integer(x, format.rounding);
  if (format.overflow == Overflow::wrap && std::isfinite(code)) {
    const double codes = std::ldexp(1.0, format.bits);
    const double top = format.is_signed ? codes / 2 : codes;
    code = std::fmod(code, codes);
    if (code >= top) code -= codes;
    if (code < top - codes) code += codes;
  }
  code = std::clamp(code, lowest(format), highest(format));
  const auto word = static_cast<Word>(static_cast<std::int64_t>(code));
  return format.bits == 32 ? word : word & ((Word{1} << format.bits) - 1);
}

double decode_power_of_two(const NumberFormat& format, Word word) {
  const Word code = word & static_cast<Word>(exponent_codes(format) - 1);
  const double magnitude = std::ldexp(1.0, static_cast<int>(code) + format.min_exponent);
  return code == word ? magnitude : -magnitude;
}

Word encode_power_of_two(const NumberFormat& format, double x) {
  const Word sign = format.is_signed && x < 0 ? Word{1} << (format.bits - 1) : 0;
  const double magnitude = format.is_signed ? std::fabs(x) : x;
  if (!(magnitude > 0)) return sign;
  const int highest_code = exponent_codes(format) - 1;
  if (std::isinf(magnitude)) return sign | static_cast<Word>(highest_code);

  // log2 of a double is a whole number or irrational, so its rounding needs no logarithm: a
  // quarter stands for every fraction below 1/2, three quarters for every fraction above.
  const int whole = std::ilogb(magnitude);
  const double significand = std::scalbn(magnitude, -whole);
  const double fraction = significand == 1 ? 0 : significand < std::sqrt(2.0) ? 0.25 : 0.75;
  const double exponent = round_to_integer(whole + fraction, format.rounding);
  return sign | static_cast<Word>(std::clamp(exponent - format.min_exponent, 0.0,
                                             static_cast<double>(highest_code)));
}

}  // namespace

double round_to_integer(double x, Rounding rounding) {
  const double truncated = std::trunc(x);
  const double fraction = std::fabs(x - truncated);
  const double outward = truncated + std::copysign(1.0, x);
  switch (rounding) {
    case Rounding::half_even:
      return std::nearbyint(x);
    case Rounding::half_away_from_zero:
      return fraction >= 0.5 ? outward : truncated;
    case Rounding::half_toward_zero:
      return fraction > 0.5 ? outward : truncated;
    case Rounding::ceil:
      return std::ceil(x);
    case Rounding::floor:
      return std::floor(x);
    case Rounding::away_from_zero:
      return fraction > 0 ? outward : truncated;
    case Rounding::toward_zero:
      return truncated;
  }
  assert(false);
  return x;
}

NumberFormat integer_format(int bits, bool is_signed, bool narrow) {
  if (bits < 1 || bits > 32) {
    fail("format", "an integer of {} bits cannot be stored; 1 to 32 bits can", bits);
  }
  NumberFormat format;
  format.kind = Kind::integer;
  format.bits = bits;
  format.is_signed = is_signed;
  format.narrow = narrow;
  return format;
}

NumberFormat float32_format() {
  return float_format(Kind::float32, 32);
}
NumberFormat float16_format() {
  return float_format(Kind::float16, 16);
}
NumberFormat bfloat16_format() {
  return float_format(Kind::bfloat16, 16);
}
NumberFormat bipolar_format() {
  return float_format(Kind::bipolar, 1);
}

double lowest(const NumberFormat& format) {
  switch (format.kind) {
    case Kind::integer:
      return format.is_signed ? -std::ldexp(1.0, format.bits - 1) + format.narrow : 0.0;
    case Kind::bipolar:
      return -1;
    case Kind::power_of_two:
      return format.is_signed ? -highest(format) : std::ldexp(1.0, format.min_exponent);
    default:
      return -highest_finite(layout_of(format));
  }
}

double highest(const NumberFormat& format) {
  switch (format.kind) {
    case Kind::integer:
      return format.is_signed ? std::ldexp(1.0, format.bits - 1) - 1
                              : std::ldexp(1.0, format.bits) - 1 - format.narrow;
    case Kind::bipolar:
      return 1;
    case Kind::power_of_two:
      return std::ldexp(1.0, exponent_codes(format) - 1 + format.min_exponent);
    default:
      return highest_finite(layout_of(format));
  }
}

double decode(const NumberFormat& format, Word word) {
  assert(fits(format, word));
  switch (format.kind) {
    case Kind::integer:
      return decode_integer(format, word);
    case Kind::bipolar:
      return word ? 1 : -1;
    case Kind::power_of_two:
      return decode_power_of_two(format, word);
    case Kind::float32: {
      const auto x = std::bit_cast<float>(word);
      return std::isnan(x) ? std::numeric_limits<double>::quiet_NaN() : static_cast<double>(x);
    }
    default:
      return decode_float(layout_of(format), word);
  }
}

Word encode(const NumberFormat& format, double x) {
  switch (format.kind) {
    case Kind::integer:
      return encode_integer(format, x);
    case Kind::bipolar:
      return x >= 0;
    case Kind::power_of_two:
      return encode_power_of_two(format, x);
    default:
      return encode_float(layout_of(format), x);
  }
}

std::string to_string(const NumberFormat& format) {
  switch (format.kind) {
    case Kind::integer:
      return fmt::format("{}{}{}", format.is_signed ? "int" : "uint", format.bits,
                         format.narrow ? " narrow" : "");
    case Kind::float32:
      return "float32";
    case Kind::float16:
      return "float16";
    case Kind::bfloat16:
      return "bfloat16";
    case Kind::bipolar:
      return "bipolar";
    case Kind::power_of_two:
      return fmt::format("{}<{},{}>", format.is_signed ? "po2" : "upo2", format.bits,
                         format.min_exponent);
  }
  assert(false);
  return "";
}

}  // namespace flipscope
