#include "flipscope/ops/convolution.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "flipscope/numeric/aligned.h"
#include "flipscope/numeric/error.h"
#include "flipscope/numeric/random.h"
#include "flipscope/ops/kernels.h"
#include "flipscope/ops/matrix_product.h"

namespace flipscope {
namespace {

template <typename T = float>
AlignedVector<T> random_numbers(std::size_t count, std::uint64_t stream) {
  Random random(7, stream);
  AlignedVector<T> numbers(count);
  for (T& x : numbers) x = static_cast<T>(random.uniform() * 2 - 1);
  return numbers;
}

template <typename T>
void expect_portable_bits() {
  const AlignedVector<T> x = random_numbers<T>(40 * 112, 1), w = random_numbers<T>(15 * 60, 2),
                         b = random_numbers<T>(15, 3), start = random_numbers<T>(15 * 112, 4);
  std::vector<std::int32_t> element, weight;
  for (int t = 0; t < 60; ++t) {
    element.push_back((t * 7) % 40);
    weight.push_back(59 - t);
  }
  for (int lanes = 16; lanes <= 112; lanes += 16) {
    for (int rows = 1; rows <= 15; ++rows) {
      AlignedVector<T> fast(15 * 112, T{-1}), plain(15 * 112, T{-1});
      DotRows<T> dot{.x = x.data(),
                     .element = element.data(),
                     .weights = w.data(),
                     .weight = weight.data(),
                     .row_step = 60,
                     .taps = 60,
                     .bias = rows % 2 ? b.data() : nullptr,
                     .start = rows % 3 ? nullptr : start.data(),
                     .rows = rows,
                     .out = fast.data(),
                     .out_step = 112,
                     .lanes = lanes};
      dot_rows(dot);
      dot.out = plain.data();
      dot_rows_portable(dot);
      ASSERT_EQ(std::memcmp(fast.data(), plain.data(), fast.size() * sizeof(T)), 0)
          << lanes << " lanes, " << rows << " rows";
    }
  }
}

TEST(Kernels, DotRowsEqualsThePortableLoopBitForBit) {
  expect_portable_bits<float>();
  expect_portable_bits<double>();
}

TEST(Kernels, QuantizeRowEqualsThePortableLoopBitForBit) {
  AlignedVector<float> x = random_numbers(64 * 16, 5), fast(x.size()), plain(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) x[i] *= static_cast<float>(1 << (i % 9));
  x[0] = std::numeric_limits<float>::quiet_NaN();
  x[1] = std::numeric_limits<float>::infinity();
  x[2] = -x[1];
  x[3] = -0.0f;
  for (int k = 4; k < 40; ++k) x[k] = static_cast<float>(k - 20) * 0.125f;  // ties
  for (const bool round_first : {false, true}) {
    for (const float zero : {0.0f, 3.0f}) {
      QuantizeRow row{.x = x.data(),
                      .out = fast.data(),
                      .count = static_cast<std::int64_t>(x.size()),
                      .scale = 0.25f,
                      .zero = zero,
                      .lowest = -8,
                      .highest = 7,
                      .round_first = round_first};
      quantize_row(row);
      row.out = plain.data();
      quantize_row_portable(row);
      ASSERT_EQ(std::memcmp(fast.data(), plain.data(), fast.size() * sizeof(float)), 0);
    }
  }
}

TEST(Convolution, ByHand) {
  const Shape x_shape{1, 1, 3, 3}, w_shape{1, 1, 2, 2}, b_shape{1};
  const std::vector<double> x{1, 2, 3, 4, 5, 6, 7, 8, 9}, w{1, 0, 0, -1}, b{10};
  const std::vector<View<double>> in{
      {x.data(), &x_shape}, {w.data(), &w_shape, true}, {b.data(), &b_shape, true}};
  const Convolution op{
      .stride = {2, 1}, .dilation = {1, 1}, .pad_begin = {1, 0}, .pad_end = {0, 1}};
  const Shape y_shape = output_shape(op, std::vector<Shape>{x_shape, w_shape, b_shape});
  EXPECT_EQ(y_shape, (Shape{1, 1, 2, 3}));
  std::vector<double> y(6);
  forward<double>(op, in, y_shape, y.data(), 1);
  EXPECT_EQ(y, (std::vector<double>{8, 7, 10, 4 - 8 + 10, 5 - 9 + 10, 6 + 10}));
}

TEST(Convolution, TransposedIsTheAdjoint) {
  // ⟨conv(x), y⟩ = ⟨x, transposed(y)⟩ for the same weights, groups, strides and pads.
  const Convolution forth{
      .stride = {2, 1}, .dilation = {1, 2}, .pad_begin = {1, 0}, .pad_end = {0, 1}, .groups = 2};
  const Shape x_shape{1, 4, 6, 7}, w_shape{6, 2, 3, 2};
  const Shape y_shape = output_shape(forth, std::vector<Shape>{x_shape, w_shape});
  TransposedConvolution back{.stride = {2, 1},
                             .dilation = {1, 2},
                             .pad_begin = {1, 0},
                             .pad_end = {0, 1},
                             .output_padding = {0, 0},
                             .groups = 2};
  back.output_padding[0] = 6 - output_shape(back, std::vector<Shape>{y_shape, w_shape})[2];
  ASSERT_EQ(output_shape(back, std::vector<Shape>{y_shape, w_shape}), x_shape);
  const auto narrow = [](const AlignedVector<float>& v) {
    return std::vector<double>(v.begin(), v.end());
  };
  const auto x = narrow(random_numbers(element_count(x_shape), 1));
  const auto y = narrow(random_numbers(element_count(y_shape), 2));
  const auto w = narrow(random_numbers(element_count(w_shape), 3));
  std::vector<double> conv_x(y.size()), back_y(x.size());
  forward<double>(forth,
                  std::vector<View<double>>{{x.data(), &x_shape}, {w.data(), &w_shape, true}},
                  y_shape, conv_x.data(), 1);
  forward<double>(back, std::vector<View<double>>{{y.data(), &y_shape}, {w.data(), &w_shape, true}},
                  x_shape, back_y.data(), 1);
  double left = 0, right = 0;
  for (std::size_t i = 0; i < y.size(); ++i) left += conv_x[i] * y[i];
  for (std::size_t i = 0; i < x.size(); ++i) right += x[i] * back_y[i];
  EXPECT_NEAR(left, right, 1e-12);
}

TEST(Convolution, SomeChannelsEqualAllOfThem) {
  const Convolution op{
      .stride = {1, 1}, .dilation = {1, 1}, .pad_begin = {1, 1}, .pad_end = {1, 1}, .groups = 2};
  const Shape x_shape{1, 4, 5, 5}, w_shape{8, 2, 3, 3}, y_shape{1, 8, 5, 5};
  const auto x = random_numbers(element_count(x_shape) * 16, 1);
  const auto w = random_numbers(element_count(w_shape), 2);
  const std::vector<View<float>> in{{x.data(), &x_shape}, {w.data(), &w_shape, true}};
  AlignedVector<float> all(8 * 25 * 16), some(all.size(), 0.0f);
  forward<float>(op, in, y_shape, all.data(), 16);
  forward_channels<float>(op, in, y_shape, some.data(), 16, 3, 6);
  for (std::size_t i = 0; i < all.size(); ++i) {
    const std::size_t channel = i / (25 * 16);
    EXPECT_EQ(some[i], channel >= 3 && channel < 6 ? all[i] : 0.0f);
  }
}

TEST(Convolution, MisfitsAreErrors) {
  const Convolution op{
      .stride = {1}, .dilation = {1}, .pad_begin = {0}, .pad_end = {0}, .groups = 3};
  EXPECT_THROW(output_shape(op, std::vector<Shape>{{1, 4, 5}, {3, 1, 2}}), Error);
  EXPECT_THROW(
      output_shape(Convolution{.stride = {1}, .dilation = {1}, .pad_begin = {0}, .pad_end = {0}},
                   std::vector<Shape>{{1, 4, 2}, {3, 4, 3}}),
      Error);
}

TEST(MatrixProduct, BroadcastsBatchesAndAddend) {
  const Shape a{2, 1, 2, 3}, b{3, 3, 2}, c{2};
  const Shape y = output_shape(MatrixProduct{}, std::vector<Shape>{a, b, c});
  EXPECT_EQ(y, (Shape{2, 3, 2, 2}));
  std::vector<double> av(12), bv(18), cv{100, 200}, out(24);
  for (std::size_t i = 0; i < av.size(); ++i) av[i] = static_cast<double>(i);
  for (std::size_t i = 0; i < bv.size(); ++i) bv[i] = static_cast<double>(i % 5);
  forward<double>(
      MatrixProduct{},
      std::vector<View<double>>{{av.data(), &a}, {bv.data(), &b, true}, {cv.data(), &c, true}}, y,
      out.data(), 1);
  for (int n = 0; n < 2; ++n) {
    for (int g = 0; g < 3; ++g) {
      for (int i = 0; i < 2; ++i) {
        for (int j = 0; j < 2; ++j) {
          double sum = cv[j];
          for (int k = 0; k < 3; ++k) sum += av[(n * 2 + i) * 3 + k] * bv[(g * 3 + k) * 2 + j];
          EXPECT_EQ(out[((n * 3 + g) * 2 + i) * 2 + j], sum);
        }
      }
    }
  }
}

TEST(MatrixProduct, RescalesTheExactSumOnce) {
  const Shape a{1, 2}, b{2, 2}, y{1, 2};
  const AlignedVector<float> x(2 * 16, 3.0f), w{1, 10, 2, 20};
  const std::vector<double> wide(w.begin(), w.end());
  MatrixProduct op{.accumulation = {Carrier::float32, {0.1, 0.01}}};
  AlignedVector<float> narrow_out(32), wide_out(32);
  const std::vector<View<float>> in{{x.data(), &a}, {w.data(), &b, true, wide.data()}};
  forward<float>(op, in, y, narrow_out.data(), 16);
  op.accumulation.carrier = Carrier::float64;
  forward<float>(op, in, y, wide_out.data(), 16);
  EXPECT_EQ(narrow_out[0], static_cast<float>(9 * 0.1));
  EXPECT_EQ(narrow_out[16], static_cast<float>(90 * 0.01));
  EXPECT_EQ(narrow_out, wide_out);
}

TEST(Kernels, PickLanesTakesThem) {
  const AlignedVector<float> row = random_numbers(48, 6);
  std::vector<std::int32_t> picked(80);
  for (int l = 0; l < 80; ++l) picked[l] = l * 29 % 48;
  std::vector<float> out(80);
  pick_lanes(row.data(), picked.data(), 80, out.data());
  for (int l = 0; l < 80; ++l) EXPECT_EQ(out[l], row[picked[l]]);
}

TEST(Convolution, TilesHaveTheBitsOfOneElementAfterTheOther) {
  constexpr int kLanes = 16;
  for (const std::int64_t groups : {1, 2}) {
    for (const std::int64_t stride : {1, 2}) {
      const Convolution op{.stride = {stride, 1},
                           .dilation = {1, 1},
                           .pad_begin = {1, 2},
                           .pad_end = {0, 1},
                           .groups = groups};
      const Shape x_shape{2, 22, 8, 6}, w_shape{140, 22 / groups, 3, 3}, b_shape{140};
      const Shape y_shape = output_shape(op, std::vector<Shape>{x_shape, w_shape, b_shape});
      const AlignedVector<float> x = random_numbers(element_count(x_shape) * kLanes, 8),
                                 w = random_numbers(element_count(w_shape), 9),
                                 b = random_numbers(140, 10);
      const std::vector<View<float>> inputs{
          {x.data(), &x_shape}, {w.data(), &w_shape, true}, {b.data(), &b_shape, true}};
      AlignedVector<float> tiles(element_count(y_shape) * kLanes), single(tiles.size());
      forward<float>(op, inputs, y_shape, tiles.data(), kLanes);
      for (std::int64_t c = 0; c < 140; ++c) {
        for (std::int64_t p = 0; p < y_shape[2] * y_shape[3]; ++p) {
          forward_element(op, inputs, y_shape, single.data(), kLanes, c, p);
        }
      }
      ASSERT_EQ(std::memcmp(tiles.data(), single.data(), tiles.size() * sizeof(float)), 0);
    }
  }
}

TEST(Convolution, PlacesThatAreReadAreThoseThatAffect) {
  const Convolution op{
      .stride = {2, 1}, .dilation = {1, 2}, .pad_begin = {1, 0}, .pad_end = {1, 1}};
  const Shape x{1, 1, 7, 8}, w{1, 1, 3, 2}, y = output_shape(op, std::vector<Shape>{x, w});
  const auto contains = [](const std::vector<std::int32_t>& all, std::int32_t one) {
    return std::find(all.begin(), all.end(), one) != all.end();
  };
  for (std::int32_t o = 0; o < y[2] * y[3]; ++o) {
    const std::vector<std::int32_t> read = places_read(op, x, w, y, std::vector{o});
    for (std::int32_t i = 0; i < x[2] * x[3]; ++i) {
      EXPECT_EQ(contains(read, i), contains(affected_positions(op, x, w, y, std::vector{i}), o));
    }
  }
}

TEST(PartialSums, AddUpWhatPrefixesGive) {
  Random random(7);
  const auto numbers = [&](std::int64_t count) {
    std::vector<float> list(count);
    for (float& number : list) number = static_cast<float>(random.normal());
    return list;
  };
  constexpr int kLanes = kLaneGroup;
  for (const std::int64_t groups : {1, 2}) {
    Convolution op{.stride = {2, 1}, .dilation = {1, 1}, .pad_begin = {1, 0}, .pad_end = {0, 1}};
    op.groups = groups;
    const Shape x_shape{1, 4, 5, 4}, w_shape{4, 4 / groups, 3, 2}, b_shape{4};
    const std::vector<float> x = numbers(element_count(x_shape) * kLanes), b = numbers(4);
    std::vector<float> w = numbers(element_count(w_shape));
    const Shape y = output_shape(op, std::vector<Shape>{x_shape, w_shape, b_shape});
    std::vector<float> found(element_count(y) * kLanes), expected(found.size()), sum(found.size());
    const std::vector<View<float>> views{{x.data(), &x_shape, false, nullptr},
                                         {w.data(), &w_shape, true, nullptr},
                                         {b.data(), &b_shape, true, nullptr}};
    partial_sums(op, views, y, found.data(), kLanes);
    const std::vector<float> all = w;
    const std::int64_t row = strides_of(w_shape)[0];
    const std::int64_t plane = strides_of(y)[1];
    for (std::int64_t terms = 1; terms <= row; ++terms) {
      for (std::size_t i = 0; i < w.size(); ++i) {
        w[i] = static_cast<std::int64_t>(i) % row < terms ? all[i] : 0;
      }
      forward<float>(op, views, y, sum.data(), kLanes);
      // A tap on padding is no term.
      const std::vector<std::int32_t> reads = tap_positions(op, x_shape, w_shape, y);
      const std::int64_t tap = (terms - 1) % 6;
      for (std::size_t i = 0; i < sum.size(); ++i) {
        const std::int64_t at = static_cast<std::int64_t>(i) / kLanes % plane;
        if (reads[tap * plane + at] >= 0) expected[i] += std::fabs(sum[i]);
      }
    }
    for (std::size_t i = 0; i < found.size(); ++i) {
      ASSERT_NEAR(found[i], expected[i], 1e-5 * expected[i]) << i;
    }
  }
  const Shape x_shape{1, 5}, w_shape{5, 3}, y{1, 3};
  const std::vector<float> x(5 * kLanes, 2.0f);
  const std::vector<float> w{1, 0, 1, -1, 0, 1, 3, 0, -2, 0, 0, 0, 1, 1, 1};
  std::vector<float> found(3 * kLanes);
  partial_sums(MatrixProduct{},
               std::vector<View<float>>{{x.data(), &x_shape, false, nullptr},
                                        {w.data(), &w_shape, true, nullptr}},
               y, found.data(), kLanes);
  EXPECT_EQ(found[0], 2 + 0 + 6 + 6 + 8);
  EXPECT_EQ(found[kLanes], 2);
  EXPECT_EQ(found[2 * kLanes + 5], 2 + 4 + 0 + 0 + 2);
}

}  // namespace
}  // namespace flipscope
