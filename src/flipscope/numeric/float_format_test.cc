#include "flipscope/numeric/float_format.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <utility>

#include "flipscope/numeric/number_format.h"
#include "flipscope/numeric/random.h"

namespace flipscope {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

std::uint32_t float_word(double x) {
  return std::bit_cast<std::uint32_t>(static_cast<float>(x));
}

/// A double of any class: any bits.
double any_double() {
  return std::bit_cast<double>(*rc::gen::arbitrary<std::uint64_t>());
}

/// A double around the range of a format with small exponents.
double ordinary_double() {
  return std::ldexp(static_cast<double>(*rc::gen::arbitrary<std::int64_t>()),
                    *rc::gen::inRange(-220, 80));
}

TEST(FloatFormat, Float32AgreesWithTheCompiler) {
  for (std::uint64_t k = 0; k < (std::uint64_t{1} << 32); k += 6151) {
    const auto word = static_cast<std::uint32_t>(k);
    const double x = std::bit_cast<float>(word);
    if (std::isnan(x)) {
      ASSERT_TRUE(std::isnan(decode(float32_format(), word)));
      continue;
    }
    ASSERT_EQ(decode_float(kFloat32, word), x);
    ASSERT_EQ(decode(float32_format(), word), x);
    ASSERT_EQ(encode(float32_format(), x), word);
    const double above = std::bit_cast<float>(word + 1);
    if (!std::isfinite(above)) continue;
    const double middle = (x + above) / 2;
    ASSERT_EQ(encode_float(kFloat32, middle), word + (word & 1)) << x;
    ASSERT_EQ(encode_float(kFloat32, std::nextafter(middle, x)), word) << x;
    ASSERT_EQ(encode_float(kFloat32, std::nextafter(middle, above)), word + 1) << x;
  }
  rc::check([] {
    const double x = *rc::gen::element(0, 1) ? any_double() : ordinary_double();
    if (!std::isnan(x)) RC_ASSERT(encode_float(kFloat32, x) == float_word(x));
  });
}

/// Ties to even between neighbouring words, everywhere: the definition of rounding to nearest.
void check_rounding(const NumberFormat& format, std::uint32_t infinity) {
  for (std::uint32_t word = 0; word + 1 < infinity; ++word) {
    const double x = decode(format, word);
    const double above = decode(format, word + 1);
    const double middle = (x + above) / 2;
    ASSERT_EQ(encode(format, middle), word + (word & 1)) << x;
    ASSERT_EQ(encode(format, std::nextafter(middle, 0)), word) << x;
    ASSERT_EQ(encode(format, std::nextafter(middle, kInfinity)), word + 1) << x;
    ASSERT_EQ(encode(format, -std::nextafter(middle, kInfinity)), (word + 1) | 0x8000u) << x;
  }
}

TEST(FloatFormat, Float16RoundsToNearestEven) {
  check_rounding(float16_format(), 0x7c00);
}
TEST(FloatFormat, Bfloat16RoundsToNearestEven) {
  check_rounding(bfloat16_format(), 0x7f80);
}

#if defined(__FLT16_MANT_DIG__) && defined(__SSE2__)
TEST(FloatFormat, Float16AgreesWithTheCompiler) {
  for (std::uint32_t word = 0; word < 0x10000; ++word) {
    const auto half = std::bit_cast<_Float16>(static_cast<std::uint16_t>(word));
    const auto truth = static_cast<double>(half);
    const double x = decode(float16_format(), word);
    ASSERT_TRUE(std::isnan(truth) ? std::isnan(x)
                                  : x == truth && std::signbit(x) == std::signbit(truth));
  }
  Random random(16);
  for (int i = 0; i < 300000; ++i) {
    const double x = std::ldexp(2 * random.uniform() - 1, -30 + static_cast<int>(random.below(50)));
    ASSERT_EQ(encode(float16_format(), x), std::bit_cast<std::uint16_t>(static_cast<_Float16>(x)))
        << x;
  }
}
#endif

// A bfloat16 is the upper half of a float32.
TEST(FloatFormat, Bfloat16IsTruncatedFloat32) {
  for (std::uint32_t word = 0; word < 0x10000; ++word) {
    const auto truth = static_cast<double>(std::bit_cast<float>(word << 16));
    const double x = decode(bfloat16_format(), word);
    ASSERT_TRUE(std::isnan(truth) ? std::isnan(x)
                                  : x == truth && std::signbit(x) == std::signbit(truth));
  }
  rc::check([](std::uint32_t word) {
    const float x = std::bit_cast<float>(word);
    if (std::isnan(x)) return;
    const std::uint32_t rounded = (word + 0x7fff + (word >> 16 & 1)) >> 16;
    RC_ASSERT(encode(bfloat16_format(), x) == rounded);
  });
}

TEST(FloatFormat, OverflowGoesToInfinityFromHalfAStepBeyondTheHighest) {
  const NumberFormat format = float16_format();
  EXPECT_EQ(highest(format), 65504);
  EXPECT_EQ(lowest(format), -65504);
  EXPECT_EQ(encode(format, std::nextafter(65520.0, 0.0)), 0x7bffu);
  EXPECT_EQ(encode(format, 65520), 0x7c00u);
  EXPECT_EQ(encode(format, -1e300), 0xfc00u);
  EXPECT_EQ(highest(bfloat16_format()), static_cast<double>(std::bit_cast<float>(0x7f7f0000u)));
  EXPECT_EQ(highest(float32_format()), static_cast<double>(std::numeric_limits<float>::max()));
}

TEST(FloatFormat, SpecialWords) {
  for (const auto& [format, infinity] :
       {std::pair{float16_format(), 0x7c00u}, std::pair{bfloat16_format(), 0x7f80u},
        std::pair{float32_format(), 0x7f800000u}}) {
    const Word sign = Word{1} << (format.bits - 1);
    EXPECT_EQ(encode(format, 0.0), 0u);
    EXPECT_EQ(encode(format, -0.0), sign);
    EXPECT_TRUE(std::signbit(decode(format, sign)));
    EXPECT_EQ(encode(format, kInfinity), infinity);
    EXPECT_EQ(encode(format, -kInfinity), infinity | sign);
    EXPECT_EQ(decode(format, infinity), kInfinity);
    EXPECT_EQ(decode(format, infinity | sign), -kInfinity);
    EXPECT_EQ(encode(format, std::numeric_limits<double>::denorm_min()), 0u);
    EXPECT_EQ(encode(format, -std::numeric_limits<double>::denorm_min()), sign);
    const Word quiet = encode(format, kNaN);
    EXPECT_EQ(encode(format, -kNaN), quiet);
    EXPECT_TRUE(std::isnan(decode(format, quiet)));
    EXPECT_TRUE(std::isnan(decode(format, infinity | sign | 1)));
    EXPECT_EQ(std::bit_cast<std::uint64_t>(decode(format, infinity | sign | 1)),
              std::bit_cast<std::uint64_t>(kNaN));
  }
  EXPECT_EQ(encode(float32_format(), kNaN), 0x7fc00000u);
}

}  // namespace
}  // namespace flipscope
