#include "flipscope/numeric/number_format.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <bit>
#include <cmath>
#include <limits>
#include <vector>

#include "flipscope/numeric/error.h"

namespace flipscope {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kQuiet = std::numeric_limits<double>::quiet_NaN();

NumberFormat power_of_two_format(int bits, bool is_signed, int min_exponent) {
  NumberFormat format;
  format.kind = NumberFormat::Kind::power_of_two;
  format.bits = bits;
  format.is_signed = is_signed;
  format.min_exponent = min_exponent;
  return format;
}

std::uint64_t words_of(const NumberFormat& format) {
  return std::uint64_t{1} << format.bits;
}

/// Every format of at most 16 bits, integers with and without sign and narrow range.
std::vector<NumberFormat> small_formats() {
  std::vector<NumberFormat> formats{float16_format(), bfloat16_format(), bipolar_format()};
  for (int bits = 1; bits <= 16; ++bits) {
    for (const bool is_signed : {false, true}) {
      for (const bool narrow : {false, true}) {
        formats.push_back(integer_format(bits, is_signed, narrow));
      }
    }
  }
  for (int bits = 1; bits <= 8; ++bits) {
    formats.push_back(power_of_two_format(bits, true, -9));
    formats.push_back(power_of_two_format(bits, false, -5));
  }
  return formats;
}

TEST(NumberFormat, EveryWordSurvivesDecodingAndEncoding) {
  for (const NumberFormat& format : small_formats()) {
    for (Word word = 0; word < words_of(format); ++word) {
      const double x = decode(format, word);
      if (std::isnan(x)) {
        ASSERT_TRUE(std::isnan(decode(format, encode(format, x))));
      } else if (x < lowest(format) && std::isfinite(x)) {
        ASSERT_TRUE(format.narrow);
        ASSERT_EQ(decode(format, encode(format, x)), lowest(format));
      } else if (x > highest(format) && std::isfinite(x)) {
        ASSERT_TRUE(format.narrow && !format.is_signed);
        ASSERT_EQ(decode(format, encode(format, x)), highest(format));
      } else {
        ASSERT_EQ(encode(format, x), word) << to_string(format) << " " << x;
      }
    }
  }
}

/// All words from the lowest number to the highest, if they decode in order: two's complement
/// starts at the sign bit; sign and magnitude counts down from the top, then up from 0.
std::vector<Word> words_in_order(const NumberFormat& format) {
  std::vector<Word> words;
  const auto count = static_cast<Word>(words_of(format));
  const bool has_sign = format.is_signed && format.kind != NumberFormat::Kind::bipolar;
  const bool twos_complement = format.kind == NumberFormat::Kind::integer;
  const Word positive = has_sign ? count / 2 : count;
  for (Word i = positive; i < count; ++i) {
    words.push_back(twos_complement ? i : count - 1 - (i - positive));
  }
  for (Word i = 0; i < positive; ++i) words.push_back(i);
  return words;
}

TEST(NumberFormat, DecodingIsMonotone) {
  for (const NumberFormat& format : small_formats()) {
    double before = -std::numeric_limits<double>::max();
    bool first = true;
    int numbers = 0;
    for (const Word word : words_in_order(format)) {
      const double x = decode(format, word);
      if (std::isnan(x)) continue;
      ASSERT_TRUE(first || x > before || (x == 0 && before == 0)) << to_string(format) << word;
      before = x;
      first = false;
      ++numbers;
    }
    const int nans = format.kind == NumberFormat::Kind::float16    ? 2 * 0x3ff
                     : format.kind == NumberFormat::Kind::bfloat16 ? 2 * 0x7f
                                                                   : 0;
    EXPECT_EQ(numbers + nans, static_cast<int>(words_of(format))) << to_string(format);
  }
}

TEST(NumberFormat, FlipIsAnInvolution) {
  for (const NumberFormat& format : small_formats()) {
    for (Word word = 0; word < words_of(format); ++word) {
      for (int bit = 0; bit < format.bits; ++bit) {
        const Word flipped = flip(word, bit);
        ASSERT_NE(flipped, word);
        ASSERT_LT(flipped, words_of(format));
        ASSERT_EQ(flip(flipped, bit), word);
        ASSERT_EQ(std::popcount(flipped ^ word), 1);
      }
    }
  }
  EXPECT_EQ(flip(0, 31), 0x80000000u);
}

TEST(NumberFormat, FlipsMoveIntegersByTheWeightOfTheBit) {
  for (const bool is_signed : {false, true}) {
    for (int bits = 1; bits <= 10; ++bits) {
      const NumberFormat format = integer_format(bits, is_signed);
      for (Word word = 0; word < words_of(format); ++word) {
        for (int bit = 0; bit < bits; ++bit) {
          double step = std::ldexp(1.0, bit) * (word >> bit & 1 ? -1 : 1);
          if (is_signed && bit == bits - 1) step = -step;
          ASSERT_EQ(decode(format, flip(word, bit)) - decode(format, word), step);
        }
      }
    }
  }
}

// Columns: QONNX's own resolve_rounding_mode on each x (qonnx 1.0.0).
TEST(NumberFormat, RoundingAgreesWithQonnx) {
  const std::vector<double> x{-2.6, -2.5, -2.4, -1.5, -0.5, -0.2, 0,
                              0.2,  0.5,  0.6,  1.5,  2.4,  2.5,  2.6};
  const std::vector<std::pair<Rounding, std::vector<double>>> tables{
      {Rounding::half_even, {-3, -2, -2, -2, 0, 0, 0, 0, 0, 1, 2, 2, 2, 3}},
      {Rounding::ceil, {-2, -2, -2, -1, 0, 0, 0, 1, 1, 1, 2, 3, 3, 3}},
      {Rounding::floor, {-3, -3, -3, -2, -1, -1, 0, 0, 0, 0, 1, 2, 2, 2}},
      {Rounding::away_from_zero, {-3, -3, -3, -2, -1, -1, 0, 1, 1, 1, 2, 3, 3, 3}},
      {Rounding::toward_zero, {-2, -2, -2, -1, 0, 0, 0, 0, 0, 0, 1, 2, 2, 2}},
      {Rounding::half_away_from_zero, {-3, -3, -2, -2, -1, 0, 0, 0, 1, 1, 2, 2, 3, 3}},
      {Rounding::half_toward_zero, {-3, -2, -2, -1, 0, 0, 0, 0, 0, 1, 1, 2, 2, 3}},
  };
  for (const auto& [rounding, expected] : tables) {
    for (std::size_t i = 0; i < x.size(); ++i) {
      EXPECT_EQ(round_to_integer(x[i], rounding), expected[i]) << x[i];
    }
  }
}

TEST(NumberFormat, RoundingIsExactNextToTiesAndBeyond2To52) {
  const double below_half = std::nextafter(0.5, 0.0);
  EXPECT_EQ(round_to_integer(below_half, Rounding::half_away_from_zero), 0);
  EXPECT_EQ(round_to_integer(-below_half, Rounding::half_away_from_zero), 0);
  EXPECT_EQ(round_to_integer(std::nextafter(0.5, 1.0), Rounding::half_toward_zero), 1);
  for (const double x : {0x1p52 + 1, -0x1p52 - 1, 0x1p53 - 1, 1e300, kInf, -kInf}) {
    for (int mode = 0; mode <= static_cast<int>(Rounding::toward_zero); ++mode) {
      EXPECT_EQ(round_to_integer(x, static_cast<Rounding>(mode)), x);
    }
  }
  EXPECT_TRUE(std::isnan(round_to_integer(kQuiet, Rounding::half_toward_zero)));
}

/// Whether code is what the rounding makes of x, by the mode's definition among the neighbours.
bool is_rounded(double x, double code, Rounding rounding) {
  const double distance = std::fabs(x - code);
  switch (rounding) {
    case Rounding::ceil:
      return code >= x && distance < 1;
    case Rounding::floor:
      return code <= x && distance < 1;
    case Rounding::away_from_zero:
      return std::fabs(code) >= std::fabs(x) && distance < 1;
    case Rounding::toward_zero:
      return std::fabs(code) <= std::fabs(x) && distance < 1;
    default:
      break;
  }
  if (distance != 0.5) return distance < 0.5;
  if (rounding == Rounding::half_even) return std::fmod(code, 2) == 0;
  return (std::fabs(code) > std::fabs(x)) == (rounding == Rounding::half_away_from_zero);
}

TEST(NumberFormat, IntegersEncodeToTheCodeThatASearchFinds) {
  for (int bits = 1; bits <= 6; ++bits) {
    for (const bool is_signed : {false, true}) {
      for (const bool narrow : {false, true}) {
        for (int mode = 0; mode <= static_cast<int>(Rounding::toward_zero); ++mode) {
          NumberFormat format = integer_format(bits, is_signed, narrow);
          format.rounding = static_cast<Rounding>(mode);
          for (int eighths = -1000; eighths <= 1000; ++eighths) {
            const double x = eighths / 8.0;
            double found = kQuiet;
            for (int code = -127; code <= 127; ++code) {
              if (is_rounded(x, code, format.rounding)) found = code;
            }
            found = std::min(std::max(found, lowest(format)), highest(format));
            ASSERT_EQ(decode(format, encode(format, x)), found) << to_string(format) << " " << x;
          }
        }
      }
    }
  }
}

TEST(NumberFormat, RangesAreThoseOfQonnx) {
  const auto range = [](int bits, bool is_signed, bool narrow) {
    const NumberFormat format = integer_format(bits, is_signed, narrow);
    return std::pair{lowest(format), highest(format)};
  };
  using Range = std::pair<double, double>;
  EXPECT_EQ(range(1, false, false), Range(0, 1));
  EXPECT_EQ(range(1, true, false), Range(-1, 0));
  EXPECT_EQ(range(1, true, true), Range(0, 0));
  EXPECT_EQ(range(2, true, true), Range(-1, 1));
  EXPECT_EQ(range(4, false, true), Range(0, 14));
  EXPECT_EQ(range(8, true, false), Range(-128, 127));
  EXPECT_EQ(range(8, true, true), Range(-127, 127));
  EXPECT_EQ(range(8, false, false), Range(0, 255));
  EXPECT_EQ(range(32, true, false), Range(-0x1p31, 0x1p31 - 1));
  EXPECT_EQ(range(32, false, false), Range(0, 0x1p32 - 1));
}

TEST(NumberFormat, WideIntegersSaturate) {
  const NumberFormat int32 = integer_format(32);
  const NumberFormat uint32 = integer_format(32, false);
  EXPECT_EQ(encode(int32, -1), 0xffffffffu);
  EXPECT_EQ(encode(int32, 1e300), 0x7fffffffu);
  EXPECT_EQ(encode(int32, -kInf), 0x80000000u);
  EXPECT_EQ(encode(int32, kQuiet), 0u);
  EXPECT_EQ(encode(uint32, -1), 0u);
  EXPECT_EQ(encode(uint32, 4294967294.5), 0xfffffffeu);
  EXPECT_EQ(encode(uint32, kInf), 0xffffffffu);
  EXPECT_EQ(decode(int32, 0x80000000u), -0x1p31);
  EXPECT_EQ(decode(integer_format(24), 0x800000u), -0x1p23);
  rc::check([&](Word word) {
    RC_ASSERT(encode(int32, decode(int32, word)) == word);
    RC_ASSERT(encode(uint32, decode(uint32, word)) == word);
    RC_ASSERT(decode(int32, word) == static_cast<std::int32_t>(word));
  });
}

TEST(NumberFormat, WrappingKeepsTheLowBits) {
  for (int bits = 1; bits <= 12; ++bits) {
    for (const bool is_signed : {false, true}) {
      NumberFormat format = integer_format(bits, is_signed);
      format.overflow = Overflow::wrap;
      for (int code = -10000; code <= 10000; ++code) {
        ASSERT_EQ(encode(format, code), static_cast<Word>(code) & ((Word{1} << bits) - 1));
      }
    }
  }
  NumberFormat format = integer_format(32);
  format.overflow = Overflow::wrap;
  EXPECT_EQ(encode(format, 0x1p31), 0x80000000u);
  EXPECT_EQ(encode(format, 0x1p40 + 5), 5u);
  EXPECT_EQ(encode(format, -0x1p31 - 1), 0x7fffffffu);
  EXPECT_EQ(encode(format, kInf), 0x7fffffffu);
  NumberFormat narrow = integer_format(8, true, true);
  narrow.overflow = Overflow::wrap;
  EXPECT_EQ(decode(narrow, encode(narrow, 128)), -127);
  EXPECT_EQ(decode(narrow, encode(narrow, 129)), -127);
}

TEST(NumberFormat, Bipolar) {
  const NumberFormat format = bipolar_format();
  EXPECT_EQ(decode(format, 0), -1);
  EXPECT_EQ(decode(format, 1), 1);
  EXPECT_EQ(encode(format, 0.0), 1u);
  EXPECT_EQ(encode(format, -0.0), 1u);
  EXPECT_EQ(encode(format, -1e-300), 0u);
  EXPECT_EQ(encode(format, 7), 1u);
  EXPECT_EQ(encode(format, kQuiet), 0u);
}

TEST(NumberFormat, PowerOfTwo) {
  const NumberFormat format = power_of_two_format(4, true, -5);  // ±2^-5 … ±2^2
  EXPECT_EQ(lowest(format), -4);
  EXPECT_EQ(highest(format), 4);
  EXPECT_EQ(decode(format, 0b0000), 0x1p-5);
  EXPECT_EQ(decode(format, 0b1101), -1);
  EXPECT_EQ(encode(format, 0), 0u);
  EXPECT_EQ(encode(format, kQuiet), 0u);
  EXPECT_EQ(encode(format, -1), 0b1101u);
  EXPECT_EQ(encode(format, 1e9), 0b0111u);
  EXPECT_EQ(encode(format, -kInf), 0b1111u);
  EXPECT_EQ(encode(format, -1e-300), 0b1000u);
  EXPECT_EQ(decode(format, encode(format, 1.41)), 1);
  EXPECT_EQ(decode(format, encode(format, 1.42)), 2);

  const NumberFormat positive = power_of_two_format(3, false, -2);
  EXPECT_EQ(lowest(positive), 0.25);
  EXPECT_EQ(highest(positive), 32);
  EXPECT_EQ(encode(positive, -8), 0u);

  NumberFormat floored = format;
  floored.rounding = Rounding::floor;
  EXPECT_EQ(decode(floored, encode(floored, 1.99)), 1);
  EXPECT_EQ(decode(floored, encode(floored, 0.99)), 0.5);
}

TEST(NumberFormat, RefusesIntegersThatDoNotFitAWord) {
  EXPECT_THROW(integer_format(0), Error);
  EXPECT_THROW(integer_format(33), Error);
  EXPECT_THROW(fixed_point(40, 2), Error);
}

TEST(NumberFormat, Names) {
  EXPECT_EQ(to_string(integer_format(8)), "int8");
  EXPECT_EQ(to_string(integer_format(4, false)), "uint4");
  EXPECT_EQ(to_string(integer_format(8, true, true)), "int8 narrow");
  EXPECT_EQ(to_string(float32_format()), "float32");
  EXPECT_EQ(to_string(float16_format()), "float16");
  EXPECT_EQ(to_string(bfloat16_format()), "bfloat16");
  EXPECT_EQ(to_string(bipolar_format()), "bipolar");
  EXPECT_EQ(to_string(power_of_two_format(4, true, -7)), "po2<4,-7>");
}

}  // namespace
}  // namespace flipscope
