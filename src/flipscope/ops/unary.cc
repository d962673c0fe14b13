// Element-wise functions of one input.
#include "flipscope/ops/unary.h"

#include <cmath>
#include <numbers>

#include "flipscope/numeric/deterministic_math.h"
#include "flipscope/numeric/exp_row.h"
#include "flipscope/ops/index.h"
#include "flipscope/ops/rounding.h"
#include "flipscope/ops/rows.h"

namespace flipscope {
namespace {

template <typename T>
T clip(T x, T low, T high) {
  const T raised = x < low ? low : x;
  return raised > high ? high : raised;
}

template <typename T>
T sigmoid(T x) {
  return 1 / (1 + det::exp(-x));
}

/// The sigmoids of many numbers, with the same bits.
template <typename T>
void sigmoid_row(const T* x, T* out, std::int64_t n) {
  each_lane(n, [=](auto i) { out[i] = -x[i]; });
  det::exp_row(out, out, n);
  each_lane(n, [=](auto i) { out[i] = 1 / (1 + out[i]); });
}

/// log(1 + e^x) without overflow.
template <typename T>
T softplus(T x) {
  return (x < 0 ? 0 : x) + det::log1p(det::exp(-std::fabs(x)));
}

/// f(x) for all n numbers; a and b are the parameters.
template <typename T>
void apply(UnaryFunction function, T a, T b, const T* x, T* out, std::int64_t n) {
  using F = UnaryFunction;
  const auto map = [=](auto f) { each_lane(n, [=](auto i) { out[i] = f(x[i]); }); };
  constexpr T half = static_cast<T>(0.5);
  switch (function) {
    case F::abs:
      return map([](T v) { return std::fabs(v); });
    case F::acos:
      return map([](T v) { return det::acos(v); });
    case F::acosh:
      return map([](T v) { return det::acosh(v); });
    case F::asin:
      return map([](T v) { return det::asin(v); });
    case F::asinh:
      return map([](T v) { return det::asinh(v); });
    case F::atan:
      return map([](T v) { return det::atan(v); });
    case F::atanh:
      return map([](T v) { return det::atanh(v); });
    case F::ceil:
      return map([](T v) { return round_up(v); });
    case F::celu:
      return map([=](T v) { return v < 0 ? a * det::expm1(v / a) : v; });
    case F::clip:
      return map([=](T v) { return clip(v, a, b); });
    case F::cos:
      return map([](T v) { return det::cos(v); });
    case F::cosh:
      return map([](T v) { return det::cosh(v); });
    case F::elu:
      return map([=](T v) { return v < 0 ? a * det::expm1(v) : v; });
    case F::erf:
      return map([](T v) { return det::erf(v); });
    case F::exp:
      return det::exp_row(x, out, n);
    case F::floor:
      return map([](T v) { return round_down(v); });
    case F::gelu:
      return map([](T v) {
        constexpr T root = static_cast<T>(1 / std::numbers::sqrt2);
        return half * v * (1 + det::erf(v * root));
      });
    case F::gelu_tanh:
      return map([](T v) {
        constexpr T factor = static_cast<T>(std::numbers::sqrt2 * std::numbers::inv_sqrtpi);
        constexpr T cubic = static_cast<T>(0.044715);
        return half * v * (1 + det::tanh(factor * std::fma(cubic, v * v * v, v)));
      });
    case F::hard_sigmoid:
      return map([=](T v) { return clip<T>(std::fma(a, v, b), 0, 1); });
    case F::hard_swish:
      return map([](T v) { return v * clip<T>(v / 6 + half, 0, 1); });
    case F::identity:
      return map([](T v) { return v; });
    case F::is_inf:
      return map([=](T v) {
        const bool infinite = std::isinf(v) && (v < 0 ? a != 0 : b != 0);
        return static_cast<T>(infinite);
      });
    case F::is_nan:
      return map([](T v) { return static_cast<T>(v != v); });
    case F::leaky_relu:
      return map([=](T v) { return v < 0 ? a * v : v; });
    case F::log:
      return map([](T v) { return det::log(v); });
    case F::logical_not:
      return map([](T v) { return static_cast<T>(v == 0); });
    case F::mish:
      return map([](T v) { return v * det::tanh(softplus(v)); });
    case F::negative:
      return map([](T v) { return -v; });
    case F::reciprocal:
      return map([](T v) { return 1 / v; });
    case F::relu:
      return map([](T v) { return v < 0 ? 0 : v; });
    case F::round_half_even:
      return map([](T v) { return round_half_even(v); });
    case F::selu:
      return map([=](T v) { return b * (v < 0 ? a * det::expm1(v) : v); });
    case F::shrink:
      return map([=](T v) { return v < -a ? v + b : v > a ? v - b : v != v ? v : 0; });
    case F::sigmoid:
      return sigmoid_row(x, out, n);
    case F::sign:
      return map([](T v) { return v > 0 ? 1 : v < 0 ? -1 : v; });
    case F::silu:
      return map([](T v) { return v * sigmoid(v); });
    case F::sin:
      return map([](T v) { return det::sin(v); });
    case F::sinh:
      return map([](T v) { return det::sinh(v); });
    case F::softplus:
      return map([](T v) { return softplus(v); });
    case F::softsign:
      return map([](T v) { return v / (1 + std::fabs(v)); });
    case F::sqrt:
      return map([](T v) { return std::sqrt(v); });
    case F::square:
      return map([](T v) { return v * v; });
    case F::tan:
      return map([](T v) { return det::tan(v); });
    case F::tanh:
      return map([](T v) { return det::tanh(v); });
    case F::thresholded_relu:
      return map([=](T v) { return v <= a ? 0 : v; });
    case F::truncate:
      return map([](T v) { return round_by<Rounding::toward_zero>(v); });
  }
}

}  // namespace

Shape output_shape(const Unary&, std::span<const Shape> inputs) {
  require_inputs("Unary", inputs, 1);
  return inputs[0];
}

template <typename T>
void forward(const Unary& op, std::span<const View<T>> inputs, const Shape& out_shape, T* out,
             int lanes) {
  const T a = static_cast<T>(op.alpha), b = static_cast<T>(op.beta);
  const std::int64_t elements = element_count(out_shape);
  if (!inputs[0].constant) return apply(op.function, a, b, inputs[0].data, out, elements * lanes);
  for (std::int64_t i = 0; i < elements; ++i, out += lanes) {
    T value;
    apply(op.function, a, b, inputs[0].data + i, &value, 1);
    std::fill_n(out, lanes, value);
  }
}

template void forward(const Unary&, std::span<const View<float>>, const Shape&, float*, int);
template void forward(const Unary&, std::span<const View<double>>, const Shape&, double*, int);

}  // namespace flipscope
