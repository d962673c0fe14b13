#include "flipscope/ops/unary.h"

#include <functional>

#include "flipscope/ops/test_op_laws.h"

namespace flipscope {
namespace {

using U = UnaryFunction;

/// A function, its parameters, and its definition in double.
struct Row {
  U function;
  double a, b;
  std::function<double(double)> definition;
};

double clip(double x, double low, double high) {
  return std::min(std::max(x, low), high);
}

const std::vector<Row>& table() {
  static const std::vector<Row> rows{
      {U::abs, 0, 0, [](double x) { return std::fabs(x); }},
      {U::acos, 0, 0, [](double x) { return std::acos(x); }},
      {U::acosh, 0, 0, [](double x) { return std::acosh(x); }},
      {U::asin, 0, 0, [](double x) { return std::asin(x); }},
      {U::asinh, 0, 0, [](double x) { return std::asinh(x); }},
      {U::atan, 0, 0, [](double x) { return std::atan(x); }},
      {U::atanh, 0, 0, [](double x) { return std::atanh(x); }},
      {U::ceil, 0, 0, [](double x) { return std::ceil(x); }},
      {U::celu, 1.5, 0, [](double x) { return x < 0 ? 1.5 * (std::exp(x / 1.5) - 1) : x; }},
      {U::clip, -1, 2.5, [](double x) { return clip(x, -1, 2.5); }},
      {U::cos, 0, 0, [](double x) { return std::cos(x); }},
      {U::cosh, 0, 0, [](double x) { return std::cosh(x); }},
      {U::elu, 0.7, 0, [](double x) { return x < 0 ? 0.7 * (std::exp(x) - 1) : x; }},
      {U::erf, 0, 0, [](double x) { return std::erf(x); }},
      {U::exp, 0, 0, [](double x) { return std::exp(x); }},
      {U::floor, 0, 0, [](double x) { return std::floor(x); }},
      {U::gelu, 0, 0, [](double x) { return x / 2 * std::erfc(-x / std::sqrt(2.0)); }},
      {U::gelu_tanh, 0, 0,
       [](double x) {
         return x / 2 * (1 + std::tanh(0.7978845608028654 * (x + 0.044715 * x * x * x)));
       }},
      {U::hard_sigmoid, 0.2, 0.5, [](double x) { return clip(0.2 * x + 0.5, 0, 1); }},
      {U::hard_swish, 0, 0, [](double x) { return x * clip(x / 6 + 0.5, 0, 1); }},
      {U::identity, 0, 0, [](double x) { return x; }},
      {U::leaky_relu, 0.1, 0, [](double x) { return x < 0 ? 0.1 * x : x; }},
      {U::log, 0, 0, [](double x) { return std::log(x); }},
      {U::mish, 0, 0, [](double x) { return x * std::tanh(std::log1p(std::exp(x))); }},
      {U::negative, 0, 0, [](double x) { return -x; }},
      {U::reciprocal, 0, 0, [](double x) { return 1 / x; }},
      {U::relu, 0, 0, [](double x) { return x < 0 ? 0 : x; }},
      {U::round_half_even, 0, 0, [](double x) { return std::nearbyint(x); }},
      {U::selu, 1.6732632, 1.0507,
       [](double x) { return 1.0507 * (x < 0 ? 1.6732632 * (std::exp(x) - 1) : x); }},
      {U::shrink, 0.5, 0.25, [](double x) { return x < -0.5  ? x + 0.25
                                                   : x > 0.5 ? x - 0.25
                                                             : 0; }},
      {U::sigmoid, 0, 0, [](double x) { return 1 / (1 + std::exp(-x)); }},
      {U::sign, 0, 0, [](double x) { return x > 0   ? 1
                                            : x < 0 ? -1
                                                    : 0; }},
      {U::silu, 0, 0, [](double x) { return x / (1 + std::exp(-x)); }},
      {U::sin, 0, 0, [](double x) { return std::sin(x); }},
      {U::sinh, 0, 0, [](double x) { return std::sinh(x); }},
      {U::softplus, 0, 0, [](double x) { return std::log1p(std::exp(x)); }},
      {U::softsign, 0, 0, [](double x) { return x / (1 + std::fabs(x)); }},
      {U::sqrt, 0, 0, [](double x) { return std::sqrt(x); }},
      {U::square, 0, 0, [](double x) { return x * x; }},
      {U::tan, 0, 0, [](double x) { return std::tan(x); }},
      {U::tanh, 0, 0, [](double x) { return std::tanh(x); }},
      {U::thresholded_relu, 1, 0, [](double x) { return x > 1 ? x : 0; }},
      {U::truncate, 0, 0, [](double x) { return std::trunc(x); }},
  };
  return rows;
}

TEST(Unary, EqualsTheDefinition) {
  for (const Row& row : table()) {
    SCOPED_TRACE(static_cast<int>(row.function));
    for (int i = -80; i <= 80; ++i) {
      const double x = i / 8.0;
      const double expected = row.definition(x);
      const auto single =
          static_cast<double>(run1(Unary{row.function, row.a, row.b}, {static_cast<float>(x)})[0]);
      const double twice = run<double>(Unary{row.function, row.a, row.b}, {{{1}, {x}}}, 1)[0];
      if (std::isnan(expected)) {
        EXPECT_TRUE(std::isnan(single) && std::isnan(twice)) << x;
      } else if (std::isinf(expected)) {
        EXPECT_EQ(single, expected) << x;
        EXPECT_EQ(twice, expected) << x;
      } else {
        EXPECT_NEAR(single, expected, 1e-6 * std::max(1.0, std::fabs(expected))) << x;
        EXPECT_NEAR(twice, expected, 1e-13 * std::max(1.0, std::fabs(expected))) << x;
      }
    }
  }
}

TEST(Unary, NaNPropagates) {
  constexpr float nan = kNaN;
  for (const Row& row : table()) {
    SCOPED_TRACE(static_cast<int>(row.function));
    expect_same(run1(Unary{row.function, row.a, row.b}, {nan}), {nan});
  }
}

TEST(Unary, FarFromZero) {
  const std::vector<float> x{-kInf, -200, 200, kInf};
  const float inf = x[3];
  expect_same(run1(Unary{U::sigmoid}, x), {0, 0, 1, 1});
  expect_same(run1(Unary{U::softplus}, x), {0, 0, 200, inf});
  expect_same(run1(Unary{U::tanh}, x), {-1, -1, 1, 1});
  expect_same(run1(Unary{U::relu}, x), {0, 0, 200, inf});
  expect_same(run1(Unary{U::elu, 1}, x), {-1, -1, 200, inf});
  expect_same(run1(Unary{U::hard_swish}, {-200, 200}), {-0.0f, 200});
  expect_same(run1(Unary{U::clip, -kInf, 3}, x), {-inf, -200, 3, 3});
}

TEST(Unary, RoundsTiesToEven) {
  const std::vector<float> x{0.5f,        1.5f,       2.5f,    -0.5f, -1.5f,
                             0.49999997f, 8388607.5f, 8388609, 1e30f};
  expect_same(run1(Unary{U::round_half_even}, x), {0, 2, 2, -0.0f, -2, 0, 8388608, 8388609, 1e30f});
  expect_same(run1(Unary{U::floor}, x), {0, 1, 2, -1, -2, 0, 8388607, 8388609, 1e30f});
  expect_same(run1(Unary{U::ceil}, x), {1, 2, 3, -0.0f, -1, 1, 8388608, 8388609, 1e30f});
  expect_same(run1(Unary{U::truncate}, x), {0, 1, 2, -0.0f, -1, 0, 8388607, 8388609, 1e30f});
}

TEST(Unary, Predicates) {
  constexpr float inf = kInf, nan = kNaN;
  const std::vector<float> x{-inf, inf, nan, 0, -0.0f, 2};
  expect_same(run1(Unary{U::is_inf, 1, 1}, x), {1, 1, 0, 0, 0, 0});
  expect_same(run1(Unary{U::is_inf, 1, 0}, x), {1, 0, 0, 0, 0, 0});
  expect_same(run1(Unary{U::is_inf, 0, 1}, x), {0, 1, 0, 0, 0, 0});
  expect_same(run1(Unary{U::is_nan}, x), {0, 0, 1, 0, 0, 0});
  expect_same(run1(Unary{U::logical_not}, x), {0, 0, 0, 1, 1, 0});
}

TEST(Unary, Laws) {
  for (const Row& row : table()) {
    expect_lane_laws(Unary{row.function, row.a, row.b}, {{2, 7}});
  }
}

}  // namespace
}  // namespace flipscope
