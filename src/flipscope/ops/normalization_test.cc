#include "flipscope/ops/normalization.h"

#include "flipscope/numeric/aligned.h"
#include "flipscope/numeric/error.h"
#include "flipscope/ops/test_op_laws.h"

namespace flipscope {
namespace {

using Numbers = std::vector<float>;

TEST(BatchNormalization, TwoChannels) {
  const BatchNormalization op{0};
  const std::vector<Operand<float>> operands{{{1, 2, 2}, {1, 3, 10, -2}},
                                             {{2}, {2, 6}, true},      // scale
                                             {{2}, {0.5f, -1}, true},  // bias
                                             {{2}, {1, 4}, true},      // mean
                                             {{2}, {4, 9}, true}};     // variance
  expect_same(run<float>(op, operands, 1), {0.5f, 2.5f, 11, -13});
}

TEST(BatchNormalization, RoundsEveryStepToFloat32) {
  std::mt19937 random(7);
  std::uniform_real_distribution<float> number(0.1f, 3);
  for (int i = 0; i < 1000; ++i) {
    const float x = number(random), scale = number(random), bias = number(random),
                mean = number(random), variance = number(random);
    const float expected =
        std::fma(x - mean, scale / std::sqrt(variance + static_cast<float>(1e-3)), bias);
    const std::vector<Operand<float>> operands{
        {{1, 1}, {x}}, {{1}, {scale}}, {{1}, {bias}}, {{1}, {mean}}, {{1}, {variance}}};
    expect_same(run<float>(BatchNormalization{1e-3}, operands, 1), {expected});
  }
}

TEST(BatchNormalization, AlignedGroupsGiveTheSameBits) {
  const Shape shape{2, 3, 9, 5}, channels{3};
  constexpr int kWide = 48;  // 45·48 numbers a channel are more than one chunk
  std::mt19937 random(3);
  const Numbers x = awkward_numbers<float>(element_count(shape) * kWide, random);
  const Numbers scale{0.3f, -2, 7}, bias{0.1f, 0.2f, -3}, mean{1, 0.7f, -0.2f},
      variance{0.5f, 2, 1e-3f};
  const std::vector<View<float>> views{{x.data(), &shape},
                                       {scale.data(), &channels, true},
                                       {bias.data(), &channels, true},
                                       {mean.data(), &channels, true},
                                       {variance.data(), &channels, true}};
  AlignedVector<float> grouped(x.size());
  Numbers plain(x.size() + 1);
  forward<float>(Op(BatchNormalization{}), views, shape, grouped.data(), kWide);
  float* const shifted = plain.data() + (reinterpret_cast<std::uintptr_t>(plain.data()) % 64 == 0);
  forward<float>(Op(BatchNormalization{}), views, shape, shifted, kWide);
  for (std::size_t i = 0; i < x.size(); ++i) ASSERT_TRUE(same(grouped[i], shifted[i])) << i;
}

TEST(Standardize, OverTheLastAxes) {
  const Standardize op{{1}, 0};
  expect_same(run<float>(op, {{{2, 2}, {1, 3, 10, 30}}}, 1), {-1, 1, -1, 1});
  const Standardize damped{{1}, 3};  // variance 1 + 3
  expect_same(run<float>(damped, {{{1, 2}, {1, 3}}}, 1), {-0.5f, 0.5f});
  const Standardize spatial{{0, 2}, 0};
  expect_same(run<float>(spatial, {{{2, 2, 1}, {1, 5, 3, 5.5f}}}, 1), {-1, -1, 1, 1});
}

TEST(Standardize, NaNSpreadsOverItsGroupOnly) {
  expect_same(run<float>(Standardize{{1}, 0}, {{{2, 2}, {1, kNaN, 10, 30}}}, 1),
              {kNaN, kNaN, -1, 1});
}

TEST(LocalResponse, NeighboursInTheWindow) {
  // size 3: alpha/size = 1, beta 1: x/(1 + Σx²)
  expect_same(run<float>(LocalResponse{3, 3, 1, 1}, {{{1, 4, 1}, {1, 2, 3, 4}}}, 1),
              {1.0f / 6, 2.0f / 15, 3.0f / 30, 4.0f / 26});
  // size 2 takes the channel itself and the next one
  expect_same(run<float>(LocalResponse{2, 2, 1, 1}, {{{1, 3, 1}, {1, 2, 3}}}, 1),
              {1.0f / 6, 2.0f / 14, 3.0f / 10});
}

TEST(Normalization, Laws) {
  expect_lane_laws(BatchNormalization{}, {{2, 3, 2, 2}, {3}, {3}, {3}, {3}});
  expect_lane_laws(Standardize{{1, 2}}, {{2, 3, 4}});
  expect_lane_laws(LocalResponse{3}, {{2, 4, 3}});
}

TEST(Normalization, Misfits) {
  EXPECT_THROW(output_shape(BatchNormalization{}, std::vector<Shape>{{1, 3}, {3}, {3}, {3}, {2}}),
               Error);
  EXPECT_THROW(output_shape(BatchNormalization{}, std::vector<Shape>{{3}, {3}, {3}, {3}, {3}}),
               Error);
  EXPECT_THROW(output_shape(BatchNormalization{}, std::vector<Shape>{{1, 3}, {3}}), Error);
  EXPECT_THROW(output_shape(Standardize{{2}}, std::vector<Shape>{{1, 3}}), Error);
  EXPECT_THROW(output_shape(LocalResponse{0}, std::vector<Shape>{{1, 3}}), Error);
}

}  // namespace
}  // namespace flipscope
