// Encodings of stored words, of tensors and of elements.
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cmath>

#include "flipscope/numeric/number_format.h"

namespace flipscope {
namespace {

TEST(Encoding, FixedPoint) {
  const Encoding encoding = fixed_point(6, 2);
  EXPECT_EQ(encoding.scale, std::vector<double>{0.0625});
  EXPECT_EQ(encoding.zero_point, std::vector<double>{0.0});
  EXPECT_EQ(lowest(encoding.format) * encoding.scale[0], -2);
  EXPECT_EQ(highest(encoding.format) * encoding.scale[0], 1.9375);
  const Encoding coarse = fixed_point(4, 6, false, Rounding::floor, Overflow::wrap);
  EXPECT_EQ(coarse.scale[0], 4);
  EXPECT_FALSE(coarse.format.is_signed);
  EXPECT_EQ(coarse.format.rounding, Rounding::floor);
  EXPECT_EQ(coarse.format.overflow, Overflow::wrap);
}

TEST(Encoding, ChannelFollowsTheAxis) {
  Encoding encoding{integer_format(8), {1.0, 2.0, 3.0}, {0.0}, 1};
  const std::vector<std::int64_t> shape{2, 3, 4};
  for (std::int64_t index = 0; index < 24; ++index) {
    EXPECT_EQ(encoding.channel(index, shape), static_cast<std::size_t>(index / 4 % 3));
  }
  EXPECT_EQ(encoding.scale_of(2), 3.0);
  EXPECT_EQ(encoding.zero_point_of(2), 0.0);
  encoding.axis = 0;
  EXPECT_EQ(encoding.channel(23, shape), 1u);
  encoding.axis = 2;
  EXPECT_EQ(encoding.channel(23, shape), 3u);
  EXPECT_EQ(Encoding{}.channel(23, shape), 0u);
}

TEST(Encoding, Names) {
  EXPECT_EQ(to_string(fixed_point(6, 2)), "fixed<6,2>");
  EXPECT_EQ(to_string(fixed_point(8, 0, false)), "ufixed<8,0>");
  EXPECT_EQ(to_string(fixed_point(8, -3)), "fixed<8,-3>");
  EXPECT_EQ(to_string(fixed_point(4, 9)), "fixed<4,9>");
  EXPECT_EQ(to_string(Encoding{integer_format(8), {0.0123}, {0.0}, -1}), "int8·0.0123");
  EXPECT_EQ(to_string(Encoding{integer_format(8, false), {0.0123}, {128.0}, -1}),
            "(uint8 - 128)·0.0123");
  EXPECT_EQ(to_string(Encoding{integer_format(8), {0.5}, {-3.0}, -1}), "(int8 + 3)·0.5");
  EXPECT_EQ(to_string(Encoding{integer_format(8), {0.5, 0.25}, {0.0}, 0}), "int8 per channel");
  EXPECT_EQ(to_string(Encoding{}), "float32");
  EXPECT_TRUE(Encoding{}.is_float());
  EXPECT_FALSE(fixed_point(6, 2).is_float());
}

/// A struck element stands for what its own word, struck, stands for.
TEST(Encoding, ElementsStoreAPartOfTheWord) {
  rc::check([] {
    const bool word_signed = *rc::gen::arbitrary<bool>();
    const int width = *rc::gen::inRange(2, 33);
    const bool own_signed = word_signed && *rc::gen::arbitrary<bool>();
    const int room = width - (word_signed && !own_signed ? 1 : 0);
    const int count = *rc::gen::inRange(1, room + 1);
    const int lowest = *rc::gen::inRange(0, room - count + 1);
    Encoding encoding;
    encoding.format = integer_format(width, word_signed);
    encoding.elements = {
        {static_cast<std::uint8_t>(lowest), static_cast<std::uint8_t>(count), own_signed}};
    const NumberFormat own = integer_format(count, own_signed);
    const double step = std::ldexp(1.0, lowest);
    const auto code = *rc::gen::inRange<std::uint64_t>(0, std::uint64_t{1} << count);
    const Word own_word = static_cast<Word>(code);
    const Word word = encode(encoding.format, decode(own, own_word) * step);
    RC_ASSERT(encoding.width(0) == count);
    RC_ASSERT(encoding.masks(0).size() == static_cast<std::size_t>(count));
    for (int bit = 0; bit < count; ++bit) {
      const Word struck = word ^ encoding.mask(0, bit);
      RC_ASSERT(decode(encoding.format, struck) == decode(own, flip(own_word, bit)) * step);
      RC_ASSERT((struck ^ encoding.mask(0, bit)) == word);
    }
    // The highest bit moves it by half of its range.
    const double moved = std::fabs(decode(encoding.format, word ^ encoding.mask(0, count - 1)) -
                                   decode(encoding.format, word));
    RC_ASSERT(moved == std::ldexp(step, count - 1));
  });
}

TEST(Encoding, NamesFormatsOfElements) {
  Encoding encoding = fixed_point(9, 3);
  encoding.elements = {{0, 6, true}, {2, 0, true}, {1, 4, false}};
  EXPECT_EQ(to_string(encoding), "fixed<9,3> per element, 0-6 bits");
}

}  // namespace
}  // namespace flipscope
