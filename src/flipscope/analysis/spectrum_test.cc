#include "flipscope/analysis/spectrum.h"

#include <gtest/gtest.h>

#include <cmath>

#include "flipscope/numeric/random.h"

namespace flipscope {
namespace {

using Vector = std::vector<double>;

/// Q·diag(values)·Qᵀ with a random orthogonal Q (a product of reflections).
Vector matrix_with(const Vector& values, std::uint64_t seed) {
  const auto n = std::ssize(values);
  Vector matrix(n * n, 0.0);
  for (std::int64_t i = 0; i < n; ++i) matrix[i * n + i] = values[i];
  Random random(seed);
  for (int reflection = 0; reflection < 3; ++reflection) {
    Vector u(n);
    double length = 0;
    for (double& x : u) {
      x = random.normal();
      length += x * x;
    }
    const auto reflect = [&](std::int64_t first, std::int64_t step) {
      double along = 0;
      for (std::int64_t i = 0; i < n; ++i) along += u[i] * matrix[first + i * step];
      for (std::int64_t i = 0; i < n; ++i) matrix[first + i * step] -= 2 * along / length * u[i];
    };
    for (std::int64_t k = 0; k < n; ++k) reflect(k, n);
    for (std::int64_t k = 0; k < n; ++k) reflect(k * n, 1);
  }
  return matrix;
}

Product product_of(const Vector& matrix, std::int64_t n) {
  return [&matrix, n](std::span<const double> v) {
    Vector result(n, 0.0);
    for (std::int64_t i = 0; i < n; ++i) {
      for (std::int64_t k = 0; k < n; ++k) result[i] += matrix[i * n + k] * v[k];
    }
    return result;
  };
}

/// 3000, −1500, 750, … and a bulk of small values of both signs.
Vector a_spectrum(std::int64_t n) {
  Vector values;
  Random random(9);
  for (std::int64_t i = 0; i < n; ++i) {
    const double sign = i % 2 == 0 ? 1 : -1;
    values.push_back(i < 12 ? sign * 3000 / std::pow(2, static_cast<double>(i))
                            : 0.3 * (random.uniform() - 0.5));
  }
  return values;
}

TEST(Spectrum, DenseEigenpairsSatisfyTheirEquation) {
  const std::int64_t n = 40;
  const Vector values = a_spectrum(n);
  const Vector matrix = matrix_with(values, 1);
  const auto pairs = eigenpairs_of(matrix, n);
  for (std::int64_t i = 0; i < 12; ++i) EXPECT_NEAR(pairs[i].value, values[i], 1e-10 * 3000);
  for (const Eigenpair& pair : pairs) {
    const Vector image = product_of(matrix, n)(pair.vector);
    for (std::int64_t i = 0; i < n; ++i) {
      EXPECT_NEAR(image[i], pair.value * pair.vector[i], 1e-10 * 3000);
    }
  }
}

TEST(Spectrum, LanczosFindsTheLargestOfEitherSign) {
  for (const std::int64_t n : {1, 2, 5, 40, 300}) {
    SCOPED_TRACE(n);
    const Vector values = a_spectrum(n);
    const Vector matrix = matrix_with(values, 2);
    LanczosOptions options;
    options.count = 8;
    const auto pairs = largest_eigenpairs(n, product_of(matrix, n), options);
    ASSERT_EQ(std::ssize(pairs), std::min<std::int64_t>(n, 8));
    for (std::size_t i = 0; i < pairs.size(); ++i) {
      EXPECT_NEAR(pairs[i].value, values[i], 1e-9 * std::fabs(values[i]));
      EXPECT_LE(pairs[i].residual, 1e-7 * 3000);
    }
  }
}

TEST(Spectrum, LanczosPassesInvariantSubspaces) {
  const Vector values(30, 2.0);
  const Vector matrix = matrix_with(values, 3);
  LanczosOptions options;
  options.count = 4;
  const auto pairs = largest_eigenpairs(30, product_of(matrix, 30), options);
  ASSERT_EQ(pairs.size(), 4u);
  for (const Eigenpair& pair : pairs) EXPECT_NEAR(pair.value, 2, 1e-12);
  const Vector zero(9, 0.0);
  for (const Eigenpair& pair : largest_eigenpairs(3, product_of(zero, 3), {})) {
    EXPECT_EQ(pair.value, 0);
  }
}

TEST(Spectrum, PowerIterationOnOneStretchFindsEigenpairs) {
  const std::int64_t n = 30;
  const Vector values = a_spectrum(n);
  const Vector matrix = matrix_with(values, 4);
  const std::vector<std::int64_t> whole{0, n};
  const auto pairs = blockwise_power_iteration(whole, product_of(matrix, n), 4, 500, 1e-12, 0);
  for (int i = 0; i < 4; ++i) EXPECT_NEAR(pairs[i].value, values[i], 1e-6 * 3000);
}

/// With two stretches the deflation takes too much away: the second pair is none of the matrix's.
TEST(Spectrum, PowerIterationOnStretchesIsNotExact) {
  const std::int64_t n = 30;
  const Vector values = a_spectrum(n);
  const Vector matrix = matrix_with(values, 4);
  const std::vector<std::int64_t> halves{0, 15, n};
  const auto pairs = blockwise_power_iteration(halves, product_of(matrix, n), 2, 500, 1e-9, 0);
  EXPECT_NEAR(pairs[0].value, values[0], 1e-6 * 3000);
  EXPECT_GT(std::fabs(pairs[1].value - values[1]), 1);
  EXPECT_GT(pairs[1].residual, 1);
}

TEST(Spectrum, DiagonalAndTraces) {
  const std::int64_t n = 60;
  const Vector matrix = matrix_with(a_spectrum(n), 5);
  const std::vector<std::int64_t> first{0, 20, n};
  double traces[3] = {0, 0, 0};
  for (std::int64_t i = 0; i < n; ++i) {
    traces[i < 20 ? 0 : 1] += matrix[i * n + i];
    traces[2] += matrix[i * n + i];
  }
  const auto exact = estimate_diagonal(first, product_of(matrix, n), n, {}, 0);
  EXPECT_TRUE(exact.exact);
  for (std::int64_t i = 0; i < n; ++i) EXPECT_DOUBLE_EQ(exact.diagonal[i], matrix[i * n + i]);

  const auto plain = estimate_diagonal(first, product_of(matrix, n), 50, {}, 0);
  LanczosOptions options;
  options.count = 8;
  const auto known = largest_eigenpairs(n, product_of(matrix, n), options);
  const auto deflated = estimate_diagonal(first, product_of(matrix, n), 50, known, 0);
  EXPECT_FALSE(plain.exact);
  for (int b = 0; b < 3; ++b) {
    EXPECT_NEAR(exact.blocks[b].trace, traces[b], 1e-9 * 3000);
    EXPECT_EQ(exact.blocks[b].standard_error, 0);
    EXPECT_LT(std::fabs(plain.blocks[b].trace - traces[b]), 4 * plain.blocks[b].standard_error);
    EXPECT_LT(std::fabs(deflated.blocks[b].trace - traces[b]),
              4 * deflated.blocks[b].standard_error);
    EXPECT_LT(deflated.blocks[b].standard_error, 0.05 * plain.blocks[b].standard_error);
  }
}

}  // namespace
}  // namespace flipscope
