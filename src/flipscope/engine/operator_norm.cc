#include "flipscope/engine/operator_norm.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numbers>
#include <numeric>

#include "flipscope/numeric/deterministic_math.h"

namespace flipscope {
namespace {

constexpr double kRounding = 1 + 1e-9;       ///< more than all that double loses here
constexpr std::int64_t kMostToSquare = 128;  ///< beyond, a product of matrices takes too long
constexpr int kSquarings = 4;

/// At least √squares; infinite where that is no number.
double length_of(double squares) {
  return std::isfinite(squares) ? std::sqrt(squares) * kRounding
                                : std::numeric_limits<double>::infinity();
}

/// Complex numbers [row][column], real and imaginary parts apart.
struct Matrix {
  std::int64_t rows = 0, columns = 0;
  std::vector<double> real, imaginary;

  Matrix(std::int64_t r, std::int64_t c) : rows(r), columns(c), real(r * c), imaginary(r * c) {}

  double frobenius() const {
    double sum = 0;
    for (const double x : real) sum += x * x;
    for (const double x : imaginary) sum += x * x;
    return std::sqrt(sum);
  }

  Matrix adjoint() const {
    Matrix other(columns, rows);
    for (std::int64_t i = 0; i < rows; ++i) {
      for (std::int64_t j = 0; j < columns; ++j) {
        other.real[j * rows + i] = real[i * columns + j];
        other.imaginary[j * rows + i] = -imaginary[i * columns + j];
      }
    }
    return other;
  }
};

Matrix operator*(const Matrix& a, const Matrix& b) {
  Matrix product(a.rows, b.columns);
  for (std::int64_t i = 0; i < a.rows; ++i) {
    double* const real = product.real.data() + i * b.columns;
    double* const imaginary = product.imaginary.data() + i * b.columns;
    for (std::int64_t t = 0; t < a.columns; ++t) {
      const double x = a.real[i * a.columns + t], y = a.imaginary[i * a.columns + t];
      const double* const u = b.real.data() + t * b.columns;
      const double* const v = b.imaginary.data() + t * b.columns;
      for (std::int64_t j = 0; j < b.columns; ++j) {
        real[j] += x * u[j] - y * v[j];
        imaginary[j] += x * v[j] + y * u[j];
      }
    }
  }
  return product;
}

/// The larger of `known` and a bound on ‖a‖₂, by ‖a‖₂ ≤ ‖(a·a*)^(2^k)‖_F^(1/2^(k+1)), which comes
/// close as k grows; no further than it must.
double spectral_norm(const Matrix& a, double known) {
  double bound = a.frobenius();
  if (!std::isfinite(bound)) return std::numeric_limits<double>::infinity();
  const bool wide = a.rows <= a.columns;
  if (bound <= known || std::min(a.rows, a.columns) > kMostToSquare) return std::max(known, bound);
  Matrix power = wide ? a * a.adjoint() : a.adjoint() * a;  // Hermitian
  double scale = 0;  // the logarithm of what was divided out, for the norm itself
  double share = 0.5;
  for (int k = 0;; ++k) {
    const double size = power.frobenius();
    if (size == 0) return known;
    scale += det::log(size) * share;
    bound = det::exp(scale);
    if (bound <= known || k == kSquarings) return std::max(known, bound);
    for (double& x : power.real) x /= size;
    for (double& x : power.imaginary) x /= size;
    power = power * power;
    share /= 2;
  }
}

std::int64_t opposite(std::int64_t frequency, const Shape& torus) {
  std::int64_t result = 0, stride = 1;
  for (std::size_t a = torus.size(); a-- > 0;) {
    result += (torus[a] - frequency % torus[a]) % torus[a] * stride;
    frequency /= torus[a];
    stride *= torus[a];
  }
  return result;
}

}  // namespace

OperatorNorm convolution_norm(const Convolution& op, const Shape& x_shape, const Shape& w_shape,
                              const float* w) {
  const std::int64_t groups = op.groups, rows = w_shape[0] / groups, columns = w_shape[1];
  const std::int64_t kernel = strides_of(w_shape)[1];
  const std::size_t rank = w_shape.size() - 2;
  Shape torus;
  for (std::size_t a = 0; a < rank; ++a) {
    torus.push_back(x_shape[a + 2] + op.dilation[a] * (w_shape[a + 2] - 1));
  }
  OperatorNorm norm;
  norm.channel.assign(x_shape[1], 0);
  std::vector<double> cosines(kernel), sines(kernel);
  Matrix symbol(rows, columns);
  // The transform of real weights is conjugate at opposite frequencies.
  const std::int64_t frequencies = element_count(torus);
  for (std::int64_t f = 0; f < frequencies; ++f) {
    if (opposite(f, torus) < f) continue;
    for (std::int64_t k = 0; k < kernel; ++k) {
      double angle = 0;
      std::int64_t frequency = f, place = k;
      for (std::size_t a = rank; a-- > 0;) {
        angle +=
            static_cast<double>(frequency % torus[a] * (place % w_shape[a + 2] * op.dilation[a])) /
            static_cast<double>(torus[a]);
        frequency /= torus[a];
        place /= w_shape[a + 2];
      }
      cosines[k] = det::cos(2 * std::numbers::pi * angle);
      sines[k] = det::sin(2 * std::numbers::pi * angle);
    }
    for (std::int64_t g = 0; g < groups; ++g) {
      for (std::int64_t i = 0; i < rows * columns; ++i) {
        const float* at = w + (g * rows * columns + i) * kernel;
        symbol.real[i] = symbol.imaginary[i] = 0;
        for (std::int64_t k = 0; k < kernel; ++k) {
          symbol.real[i] += at[k] * cosines[k];
          symbol.imaginary[i] += at[k] * sines[k];
        }
      }
      for (std::int64_t c = 0; c < columns; ++c) {
        double sum = 0;
        for (std::int64_t i = c; i < rows * columns; i += columns) {
          sum += symbol.real[i] * symbol.real[i] + symbol.imaginary[i] * symbol.imaginary[i];
        }
        double& most = norm.channel[g * columns + c];
        most = std::max(most, length_of(sum));
      }
      norm.all = spectral_norm(symbol, norm.all);
    }
  }
  // The transform of |w| is largest at frequency 0.
  for (std::int64_t g = 0; g < groups; ++g) {
    std::ranges::fill(symbol.imaginary, 0);
    for (std::int64_t i = 0; i < rows * columns; ++i) {
      const float* at = w + (g * rows * columns + i) * kernel;
      symbol.real[i] = 0;
      for (std::int64_t k = 0; k < kernel; ++k) symbol.real[i] += std::fabs(at[k]);
    }
    norm.absolute = spectral_norm(symbol, norm.absolute);
  }
  norm.all *= kRounding;
  norm.absolute *= kRounding;
  return norm;
}

OperatorNorm matrix_norm(const float* w, std::int64_t rows, std::int64_t columns) {
  OperatorNorm norm;
  if (std::min(rows, columns) > kMostToSquare) {
    double squares = 0;
    for (std::int64_t r = 0; r < rows; ++r) {
      const double sum = std::transform_reduce(w + r * columns, w + (r + 1) * columns, 0.0,
                                               std::plus{}, [](double x) { return x * x; });
      norm.channel.push_back(length_of(sum));
      squares += sum;
    }
    norm.all = norm.absolute = length_of(squares);
    return norm;
  }
  Matrix matrix(rows, columns), absolute(rows, columns);
  for (std::int64_t r = 0; r < rows; ++r) {
    double sum = 0;
    for (std::int64_t i = r * columns; i < (r + 1) * columns; ++i) {
      matrix.real[i] = w[i];
      absolute.real[i] = std::fabs(w[i]);
      sum += double{w[i]} * w[i];
    }
    norm.channel.push_back(length_of(sum));
  }
  norm.all = spectral_norm(matrix, 0) * kRounding;
  norm.absolute = spectral_norm(absolute, 0) * kRounding;
  return norm;
}

}  // namespace flipscope
