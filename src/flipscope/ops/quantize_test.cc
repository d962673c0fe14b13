#include "flipscope/ops/quantize.h"

#include <rapidcheck.h>

#include "flipscope/numeric/error.h"
#include "flipscope/ops/rounding.h"
#include "flipscope/ops/test_op_laws.h"

namespace flipscope {
namespace {

using Numbers = std::vector<float>;

Quantize quantizer(const NumberFormat& format, double scale = 1, double zero_point = 0,
                   bool round_first = true) {
  return {Encoding{format, {scale}, {zero_point}, -1}, round_first};
}

constexpr Rounding kRoundings[]{
    Rounding::half_even, Rounding::half_away_from_zero, Rounding::half_toward_zero, Rounding::ceil,
    Rounding::floor,     Rounding::away_from_zero,      Rounding::toward_zero};

TEST(Quantize, SaturatesAndKeepsNaN) {
  const Quantize op = quantizer(integer_format(8), 0.5);
  expect_same(run1(op, {0, -0.0f, 0.6f, -0.1f, 100, -100, kInf, -kInf, kNaN}),
              {0, 0, 1, 0, 127, -128, 127, -128, kNaN});
  const Quantize narrow = quantizer(integer_format(8, true, true), 0.5);
  expect_same(run1(narrow, {-100, 100}), {-127, 127});
}

TEST(Quantize, CodesAreCentered) {
  // uint8 with zero point 100: codes 0 … 255 are −100 … 155.
  const Quantize op = quantizer(integer_format(8, false), 1, 100);
  expect_same(run1(op, {-200, -100, 0, 2.5f, 155, 200}), {-100, -100, 0, 2, 155, 155});
}

TEST(Quantize, EveryRounding) {
  const Numbers x{0.5f, 1.5f, -0.5f, -1.5f, 0.2f, -0.2f, 0.8f, -0.8f};
  const std::vector<Numbers> expected{{0, 2, 0, -2, 0, 0, 1, -1},   {1, 2, -1, -2, 0, 0, 1, -1},
                                      {0, 1, 0, -1, 0, 0, 1, -1},   {1, 2, 0, -1, 1, 0, 1, 0},
                                      {0, 1, -1, -2, 0, -1, 0, -1}, {1, 2, -1, -2, 1, -1, 1, -1},
                                      {0, 1, 0, -1, 0, 0, 0, 0}};
  for (std::size_t i = 0; i < expected.size(); ++i) {
    NumberFormat format = integer_format(8);
    format.rounding = kRoundings[i];
    expect_same(run1(quantizer(format), x), expected[i]);
    expect_same(run1(quantizer(format, 1, 0, false), x), expected[i]);
  }
}

TEST(Quantize, RoundFirstOrLastDiffersAtAFractionalZeroPoint) {
  const NumberFormat format = integer_format(4);
  expect_same(run1(quantizer(format, 1, 0.25, true), {0.4f, 20}), {0, 6.75f});
  expect_same(run1(quantizer(format, 1, 0.25, false), {0.4f, 20}), {0.75f, 6.75f});
}

TEST(Quantize, Wraps) {
  NumberFormat format = integer_format(4);
  format.overflow = Overflow::wrap;
  expect_same(run1(quantizer(format), {7, 8, 9, -8, -9, 23.6f, kNaN}),
              {7, -8, -7, -8, 7, -8, kNaN});
}

TEST(Quantize, OtherFormats) {
  expect_same(run1(quantizer(bipolar_format(), 0.5), {-2, -1e-40f, -0.0f, 0, 3, kNaN}),
              {-1, -1, 1, 1, 1, kNaN});
  expect_same(run1(quantizer(float32_format()), {0.1f, -0.0f, kInf, kNaN}),
              {0.1f, -0.0f, kInf, kNaN});
  expect_same(run1(quantizer(bfloat16_format()), {1.00390625f, 3, kNaN}), {1, 3, kNaN});
  expect_same(run1(quantizer(float16_format()), {2049, 65504, 1e6f}), {2048, 65504, kInf});
  NumberFormat power = integer_format(3);
  power.kind = NumberFormat::Kind::power_of_two;
  power.min_exponent = -2;
  expect_same(run1(quantizer(power), {0.3f, -0.9f, 100, 1e-6f}), {0.25f, -1, 2, 0.25f});
}

TEST(Quantize, PerChannel) {
  const Quantize op{Encoding{integer_format(8), {1, 0.5}, {0.0}, 1}, true};
  const Numbers x{1, 2, 3, 4, 5, 6, 7, 8};
  expect_same(run<float>(op, {{{2, 2, 2}, x}}, 1), {1, 2, 6, 8, 5, 6, 14, 16});
}

/// The vectorised path must give the code that the format's own encoder gives.
TEST(Quantize, EqualsTheEncoder) {
  rc::check([] {
    NumberFormat format = integer_format(*rc::gen::inRange(1, 17), *rc::gen::arbitrary<bool>());
    format.narrow = format.bits > 1 && *rc::gen::arbitrary<bool>();
    format.rounding = kRoundings[*rc::gen::inRange(0, 7)];
    format.overflow = *rc::gen::element(Overflow::saturate, Overflow::wrap);
    const double scale = std::ldexp(1.0, *rc::gen::inRange(-8, 3));
    std::mt19937 random(*rc::gen::arbitrary<std::uint32_t>());
    const Numbers x = awkward_numbers<float>(64, random);
    const Numbers first = run1(quantizer(format, scale), x);
    const Numbers last = run1(quantizer(format, scale, 0, false), x);
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double expected =
          std::isnan(x[i]) ? x[i] : decode(format, encode(format, x[i] / scale));
      RC_ASSERT(same(first[i], static_cast<float>(expected)));
      RC_ASSERT(same(last[i], static_cast<float>(expected)));
    }
  });
}

template <Rounding rounding, typename T>
void expect_rounding(T x) {
  EXPECT_TRUE(same<T>(round_by<rounding>(x), static_cast<T>(round_to_integer(x, rounding))))
      << x << " rounds to " << round_by<rounding>(x) << " by rule " << static_cast<int>(rounding);
}

template <typename T>
void expect_every_rounding(T x) {
  expect_rounding<Rounding::half_even>(x);
  expect_rounding<Rounding::half_away_from_zero>(x);
  expect_rounding<Rounding::half_toward_zero>(x);
  expect_rounding<Rounding::ceil>(x);
  expect_rounding<Rounding::floor>(x);
  expect_rounding<Rounding::away_from_zero>(x);
  expect_rounding<Rounding::toward_zero>(x);
}

TEST(Rounding, EqualsTheSlowRounding) {
  for (const double x : {0.0, 0.5, 1.5, 2.5, 1e-40, 0.49999997, 0.49999999999999994, 8388607.5,
                         8388608.0, 16777217.0, 4503599627370495.5, 4503599627370496.0, 1e30}) {
    expect_every_rounding(x), expect_every_rounding(-x);
    expect_every_rounding(static_cast<float>(x)), expect_every_rounding(static_cast<float>(-x));
  }
  expect_every_rounding(kInf), expect_every_rounding(-kInf), expect_every_rounding(kNaN);
  std::mt19937 random(5);
  for (const float x : awkward_numbers<float>(2000, random)) expect_every_rounding(x);
}

TEST(Dequantize, RoundsOnce) {
  const double scale = 0.1 / 3;
  const std::vector<Operand<float>> x{{{2}, {12345677, kNaN}}};
  expect_same(run<float>(Dequantize{{scale}}, x, 1), {static_cast<float>(12345677 * scale), kNaN});
  const std::vector<Operand<float>> two{{{2, 2}, {1, 2, 3, 4}}};
  expect_same(run<float>(Dequantize{{0.5, 2}, 0}, two, 1), {0.5f, 1, 6, 8});
  expect_same(run<float>(Dequantize{{0.5, 2}, 1}, two, 1), {0.5f, 4, 1.5f, 8});
}

TEST(Quantize, Laws) {
  for (const bool round_first : {false, true}) {
    expect_lane_laws(quantizer(integer_format(4), 0.3, 2, round_first), {{2, 5}});
    expect_lane_laws(
        Quantize{Encoding{integer_format(6), {0.1, 0.2, 0.3}, {1, 0, -1}, 1}, round_first},
        {{2, 3, 2}});
  }
  for (const NumberFormat& format :
       {bipolar_format(), float16_format(), bfloat16_format(), float32_format()}) {
    expect_lane_laws(quantizer(format), {{7}});
  }
  expect_lane_laws(Dequantize{{0.1, 0.2, 0.3}, 1}, {{2, 3, 2}});
}

TEST(Quantize, Misfits) {
  const std::vector<Shape> in{{1, 3}};
  EXPECT_THROW(output_shape(Quantize{Encoding{integer_format(8), {1, 2}, {0.0}, 1}}, in), Error);
  EXPECT_THROW(output_shape(Quantize{Encoding{integer_format(8), {1}, {0.0, 1}, 1}}, in), Error);
  EXPECT_THROW(output_shape(Quantize{Encoding{integer_format(8), {1, 2, 3}, {0.0}, -1}}, in),
               Error);
  EXPECT_THROW(output_shape(Dequantize{{1, 2, 3}, 2}, in), Error);
}

}  // namespace
}  // namespace flipscope
