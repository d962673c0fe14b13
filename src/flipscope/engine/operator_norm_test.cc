#include "flipscope/engine/operator_norm.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "flipscope/numeric/random.h"

namespace flipscope {
namespace {

std::vector<float> numbers(Random& random, std::int64_t count) {
  std::vector<float> values(count);
  for (float& value : values) value = static_cast<float>(random.uniform() * 2 - 1);
  return values;
}

double length(const std::vector<double>& x) {
  double sum = 0;
  for (const double one : x) sum += one * one;
  return std::sqrt(sum);
}

/// A linear operator as a matrix, [output][input], from its effect on unit vectors.
struct Dense {
  std::int64_t rows = 0, columns = 0;
  std::vector<double> numbers;

  Dense(const Op& op, const Shape& x, const Shape& w, const std::vector<float>& weights) {
    const std::vector<double> wide(weights.begin(), weights.end());
    const std::vector<Shape> shapes{x, w};
    const Shape y = output_shape(op, shapes);
    rows = element_count(y);
    columns = element_count(x);
    numbers.resize(rows * columns);
    std::vector<double> unit(columns), out(rows);
    for (std::int64_t j = 0; j < columns; ++j) {
      unit[j] = 1;
      const std::vector<View<double>> views{{unit.data(), &x, false, nullptr},
                                            {wide.data(), &w, true, wide.data()}};
      forward<double>(op, views, y, out.data(), 1);
      for (std::int64_t i = 0; i < rows; ++i) numbers[i * columns + j] = out[i];
      unit[j] = 0;
    }
  }

  /// The norm of the columns [from, to), by power iteration: from below, and close.
  double norm(std::int64_t from, std::int64_t to, Random& random) const {
    std::vector<double> x(to - from), y(rows);
    for (double& one : x) one = random.uniform() + 0.1;
    double size = 0;
    for (int k = 0; k < 150; ++k) {
      const double before = length(x);
      for (double& one : x) one /= before;
      for (std::int64_t i = 0; i < rows; ++i) {
        y[i] = 0;
        for (std::int64_t j = from; j < to; ++j) y[i] += numbers[i * columns + j] * x[j - from];
      }
      size = length(y);
      for (std::int64_t j = from; j < to; ++j) {
        x[j - from] = 0;
        for (std::int64_t i = 0; i < rows; ++i) x[j - from] += numbers[i * columns + j] * y[i];
      }
    }
    return size;
  }
};

TEST(OperatorNorm, BoundsConvolutionsClosely) {
  Random random(1, 0);
  double loosest = 0;
  for (int k = 0; k < 40; ++k) {
    const auto pick = [&](std::int64_t from, std::int64_t to) {
      return from + static_cast<std::int64_t>(random.below(to - from + 1));
    };
    const std::int64_t groups = pick(1, 2), size = pick(1, 3), stride = pick(1, 2),
                       pad = pick(0, 1);
    const Convolution op{.stride = {stride, 1},
                         .dilation = {1, pick(1, 2)},
                         .pad_begin = {pad, 1},
                         .pad_end = {pad, 1},
                         .groups = groups};
    const Shape x{1, groups * pick(1, 3), 7, 6}, w{groups * pick(1, 3), x[1] / groups, size, 2};
    const std::vector<float> weights = numbers(random, element_count(w));
    const OperatorNorm norm = convolution_norm(op, x, w, weights.data());
    const Dense dense(op, x, w, weights);
    const double truth = dense.norm(0, dense.columns, random);
    EXPECT_GE(norm.all, truth * (1 - 1e-9));
    if (stride == 1) loosest = std::max(loosest, norm.all / truth);
    const std::int64_t plane = strides_of(x)[1];
    for (std::int64_t c = 0; c < x[1]; ++c) {
      const double alone = dense.norm(c * plane, (c + 1) * plane, random);
      EXPECT_GE(norm.channel[c], alone * (1 - 1e-9));
      EXPECT_LE(norm.channel[c], norm.all * (1 + 1e-6));
    }
    std::vector<float> positive = weights;
    for (float& one : positive) one = std::fabs(one);
    EXPECT_GE(norm.absolute, Dense(op, x, w, positive).norm(0, dense.columns, random) * (1 - 1e-9));
  }
  EXPECT_GT(loosest, 1);
  EXPECT_LT(loosest, 1.5);
}

TEST(OperatorNorm, BoundsMatricesClosely) {
  Random random(2, 0);
  for (const auto& [rows, columns] : {std::pair<int, int>{3, 8}, {8, 3}, {1, 1}, {20, 20}}) {
    const std::vector<float> w = numbers(random, rows * columns);
    const OperatorNorm norm = matrix_norm(w.data(), rows, columns);
    const Dense dense(MatrixProduct{}, {1, rows}, {rows, columns}, w);
    const double truth = dense.norm(0, rows, random);
    EXPECT_GE(norm.all, truth * (1 - 1e-9));
    EXPECT_LE(norm.all, truth * 1.1);
    for (int r = 0; r < rows; ++r) {
      EXPECT_NEAR(norm.channel[r], dense.norm(r, r + 1, random), 1e-6 * truth);
    }
  }
}

TEST(OperatorNorm, OfWhatIsNoNumberIsInfinite) {
  for (const int size : {4, 200}) {
    std::vector<float> w(size * size, 0.5f);
    w[size + 1] = std::numeric_limits<float>::quiet_NaN();
    const OperatorNorm norm = matrix_norm(w.data(), size, size);
    EXPECT_TRUE(std::isinf(norm.all) && std::isinf(norm.absolute) && std::isinf(norm.channel[1]));
    EXPECT_FALSE(std::isinf(norm.channel[0]));
  }
}

}  // namespace
}  // namespace flipscope
