#include <gtest/gtest.h>

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

}  // namespace
}  // namespace flipscope
