// Jacobians of element-wise functions, of selection, and of quantizers.
#include <array>
#include <cmath>
#include <numbers>
#include <tuple>
#include <utility>

#include "flipscope/ops/index.h"
#include "flipscope/ops/jacobian.h"
#include "flipscope/ops/rows.h"

namespace flipscope {
namespace {

using smooth::value;

template <typename T>
T logistic(T x) {
  return 1 / (1 + smooth::exp(-x));
}

/// f'(x); a and b are the function's parameters.
template <typename T>
T slope(UnaryFunction function, double a, double b, T x) {
  using F = UnaryFunction;
  switch (function) {
    case F::abs:
      return x > 0 ? 1 : x < 0 ? -1 : 0;
    case F::acos:
      return -1 / smooth::sqrt(1 - x * x);
    case F::acosh:
      return 1 / smooth::sqrt(x * x - 1);
    case F::asin:
      return 1 / smooth::sqrt(1 - x * x);
    case F::asinh:
      return 1 / smooth::sqrt(x * x + 1);
    case F::atan:
      return 1 / (1 + x * x);
    case F::atanh:
      return 1 / (1 - x * x);
    case F::ceil:
    case F::floor:
    case F::round_half_even:
    case F::truncate:
    case F::identity:
      return 1;
    case F::celu:
      return x < 0 ? smooth::exp(x / a) : 1;
    case F::clip:
      return x >= a && x <= b ? 1 : 0;
    case F::cos:
      return -smooth::sin(x);
    case F::cosh:
      return smooth::sinh(x);
    case F::elu:
      return x < 0 ? a * smooth::exp(x) : 1;
    case F::erf:
      return 2 * std::numbers::inv_sqrtpi * smooth::exp(-x * x);
    case F::exp:
      return smooth::exp(x);
    case F::gelu: {
      constexpr double density = std::numbers::inv_sqrtpi / std::numbers::sqrt2;
      return 0.5 * (1 + smooth::erf(x / std::numbers::sqrt2)) +
             x * density * smooth::exp(-x * x / 2);
    }
    case F::gelu_tanh: {
      constexpr double factor = std::numbers::sqrt2 * std::numbers::inv_sqrtpi, cubic = 0.044715;
      const T t = smooth::tanh(factor * (x + cubic * x * x * x));
      return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * factor * (1 + 3 * cubic * x * x);
    }
    case F::hard_sigmoid: {
      const double y = a * value(x) + b;
      return y > 0 && y < 1 ? a : 0;
    }
    case F::hard_swish:
      return x <= -3 ? 0 : x >= 3 ? 1 : x / 3 + 0.5;
    case F::is_inf:
    case F::is_nan:
    case F::logical_not:
      return 0;
    case F::leaky_relu:
      return x < 0 ? a : 1;
    case F::log:
      return 1 / x;
    case F::mish: {
      const T t = smooth::tanh(smooth::softplus(x));
      return t + x * (1 - t * t) * logistic(x);
    }
    case F::negative:
      return -1;
    case F::reciprocal:
      return -1 / (x * x);
    case F::relu:
      return x > 0 ? 1 : 0;
    case F::selu:
      return x < 0 ? b * a * smooth::exp(x) : b;
    case F::shrink:
      return x < -a || x > a ? 1 : 0;
    case F::sigmoid: {
      const T s = logistic(x);
      return s * (1 - s);
    }
    case F::sign:
      return x >= -1 && x <= 1 ? 1 : 0;
    case F::silu: {
      const T s = logistic(x);
      return s + x * s * (1 - s);
    }
    case F::sin:
      return smooth::cos(x);
    case F::sinh:
      return smooth::cosh(x);
    case F::softplus:
      return logistic(x);
    case F::softsign: {
      const T magnitude = 1 + (x < 0 ? -x : x);
      return 1 / (magnitude * magnitude);
    }
    case F::sqrt:
      return 1 / (2 * smooth::sqrt(x));
    case F::square:
      return 2 * x;
    case F::tan: {
      const T t = smooth::tan(x);
      return 1 + t * t;
    }
    case F::tanh: {
      const T t = smooth::tanh(x);
      return 1 - t * t;
    }
    case F::thresholded_relu:
      return x > a ? 1 : 0;
  }
  return 0;
}

/// ∂f/∂x and ∂f/∂y.
template <typename T>
std::pair<T, T> slopes(BinaryFunction function, T x, T y) {
  using F = BinaryFunction;
  switch (function) {
    case F::add:
      return {1, 1};
    case F::subtract:
      return {1, -1};
    case F::multiply:
      return {y, x};
    case F::divide:
    case F::divide_truncating:
      return {1 / y, -x / (y * y)};
    case F::power: {
      const double p = value(y);
      // x^y in both: e^(y·log x) where that exists, else y is taken as fixed.
      if (value(x) > 0) {
        const T log = smooth::log(x);
        const T whole = smooth::exp(y * log);
        return {p == 0 ? T(0) : y * smooth::exp((y - 1) * log), whole * log};
      }
      return {p == 0 ? T(0) : p * smooth::power(x, p - 1), 0};
    }
    case F::minimum:
      return x < y ? std::pair<T, T>{1, 0} : std::pair<T, T>{0, 1};
    case F::maximum:
      return x > y ? std::pair<T, T>{1, 0} : std::pair<T, T>{0, 1};
    case F::modulo_floor:
      return {1, -std::floor(value(x) / value(y))};
    case F::modulo_truncate:
      return {1, -std::trunc(value(x) / value(y))};
    case F::prelu:
      return x < 0 ? std::pair<T, T>{y, x} : std::pair<T, T>{1, 0};
    case F::equal:
    case F::less:
    case F::less_or_equal:
    case F::greater:
    case F::greater_or_equal:
    case F::logical_and:
    case F::logical_or:
    case F::logical_xor:
      break;
  }
  return {0, 0};
}

/// A quantizer's derivative, 1/scale where it does not clip.
struct StraightThrough {
  explicit StraightThrough(const NumberFormat& format)
      : kind(format.kind), is_signed(format.is_signed) {
    if (kind != NumberFormat::Kind::integer) return;
    low = lowest(format);
    high = highest(format);
  }

  template <typename T>
  void operator()(double scale, double zero_point, const T* x, int count, T* derivatives) const {
    for (int i = 0; i < count; ++i) {
      const double code = value(x[i]) / scale + zero_point;
      bool passes = true;
      if (kind == NumberFormat::Kind::integer) {
        passes = (is_signed ? code >= low : code > low) && code <= high;
      } else if (kind == NumberFormat::Kind::bipolar) {
        passes = value(x[i]) >= -1 && value(x[i]) <= 1;
      }
      derivatives[i] = passes ? (kind == NumberFormat::Kind::bipolar ? 1 : 1 / scale) : 0;
    }
  }

  NumberFormat::Kind kind;
  bool is_signed;
  double low = 0, high = 0;
};

/// Calls f(element, channel) for every element of an input with one scale per index of `axis`.
template <typename F>
void each_channel_element(const Shape& shape, bool per_channel, int axis, F f) {
  const AxisSplit split = per_channel ? split_at(shape, static_cast<std::size_t>(axis))
                                      : AxisSplit{1, 1, element_count(shape)};
  const std::int64_t elements = split.outer * split.length * split.inner;
  for (std::int64_t e = 0; e < elements; ++e) {
    f(e, static_cast<std::size_t>(e / split.inner % split.length));
  }
}

}  // namespace

template <typename T>
void entries(const Unary& op, const Point<T>& at, Jacobian<T>& jacobian) {
  if (!jacobian.wants(0)) return;
  Rows<T> x(at.inputs[0], at.lanes);
  std::vector<T> row(at.lanes);
  const std::int64_t elements = element_count(*at.out_shape);
  for (std::int64_t e = 0; e < elements; ++e) {
    const T* from = x[e];
    for (int l = 0; l < at.lanes; ++l) row[l] = slope(op.function, op.alpha, op.beta, from[l]);
    jacobian.entry(e, 0, e, row.data());
  }
}

template <typename T>
void entries(const Binary& op, const Point<T>& at, Jacobian<T>& jacobian) {
  const std::array shapes{at.inputs[0].shape, at.inputs[1].shape};
  BroadcastWalk walk(*at.out_shape, shapes);
  Rows<T> a(at.inputs[0], at.lanes), b(at.inputs[1], at.lanes);
  std::vector<T> by_a(at.lanes), by_b(at.lanes);
  const std::int64_t elements = element_count(*at.out_shape);
  for (std::int64_t e = 0; e < elements; ++e, walk.next()) {
    const T* x = a[walk[0]];
    const T* y = b[walk[1]];
    for (int l = 0; l < at.lanes; ++l) {
      std::tie(by_a[l], by_b[l]) = slopes(op.function, x[l], y[l]);
    }
    if (jacobian.wants(0)) jacobian.entry(e, 0, walk[0], by_a.data());
    if (jacobian.wants(1)) jacobian.entry(e, 1, walk[1], by_b.data());
  }
}

template <typename T>
void entries(const Select&, const Point<T>& at, Jacobian<T>& jacobian) {
  const std::array shapes{at.inputs[0].shape, at.inputs[1].shape, at.inputs[2].shape};
  BroadcastWalk walk(*at.out_shape, shapes);
  Rows<T> conditions(at.inputs[0], at.lanes);
  std::vector<T> yes(at.lanes), no(at.lanes);
  const std::int64_t elements = element_count(*at.out_shape);
  for (std::int64_t e = 0; e < elements; ++e, walk.next()) {
    const T* condition = conditions[walk[0]];
    for (int l = 0; l < at.lanes; ++l) {
      const bool holds = value(condition[l]) != 0;
      yes[l] = holds ? 1 : 0;
      no[l] = holds ? 0 : 1;
    }
    if (jacobian.wants(1)) jacobian.entry(e, 1, walk[1], yes.data());
    if (jacobian.wants(2)) jacobian.entry(e, 2, walk[2], no.data());
  }
}

template <typename T>
void entries(const Quantize& op, const Point<T>& at, Jacobian<T>& jacobian) {
  if (!jacobian.wants(0)) return;
  const Encoding& encoding = op.encoding;
  const bool per_channel = encoding.scale.size() > 1 || encoding.zero_point.size() > 1;
  Rows<T> x(at.inputs[0], at.lanes);
  std::vector<T> row(at.lanes);
  const StraightThrough derive(encoding.format);
  each_channel_element(*at.inputs[0].shape, per_channel, encoding.axis,
                       [&](std::int64_t e, std::size_t channel) {
                         derive(encoding.scale_of(channel), encoding.zero_point_of(channel), x[e],
                                at.lanes, row.data());
                         jacobian.entry(e, 0, e, row.data());
                       });
}

template <typename T>
void entries(const Dequantize& op, const Point<T>& at, Jacobian<T>& jacobian) {
  if (!jacobian.wants(0)) return;
  each_channel_element(
      *at.inputs[0].shape, op.scale.size() > 1, op.axis,
      [&](std::int64_t e, std::size_t channel) { jacobian.entry(e, 0, e, T(op.scale[channel])); });
}

#define FLIPSCOPE_INSTANTIATE(Op)                                            \
  template void entries(const Op&, const Point<double>&, Jacobian<double>&); \
  template void entries(const Op&, const Point<Dual>&, Jacobian<Dual>&);
FLIPSCOPE_INSTANTIATE(Unary)
FLIPSCOPE_INSTANTIATE(Binary)
FLIPSCOPE_INSTANTIATE(Select)
FLIPSCOPE_INSTANTIATE(Quantize)
FLIPSCOPE_INSTANTIATE(Dequantize)
#undef FLIPSCOPE_INSTANTIATE

}  // namespace flipscope
