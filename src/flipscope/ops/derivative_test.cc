#include "flipscope/ops/derivative.h"

#include <algorithm>
#include <functional>

#include "flipscope/ops/test_op_laws.h"

namespace flipscope {
namespace {

constexpr int kLanes = 5;

using Doubles = std::vector<double>;
using Operands = std::vector<Operand<double>>;

/// One row of the table: an operator, its inputs' shapes, and where its inputs are drawn from.
struct Row {
  Op op;
  std::vector<Shape> shapes;
  double from = -2, to = 2;
  std::vector<std::size_t> fixed{};  ///< inputs without a derivative
};

Accumulation rescaled(std::vector<double> scale) {
  return {Carrier::float64, std::move(scale)};
}

std::vector<Row> table() {
  std::vector<Row> rows{
      {Convolution{{2, 1}, {1, 2}, {1, 0}, {0, 2}, 1, {}}, {{1, 2, 5, 6}, {3, 2, 2, 3}, {3}}},
      {Convolution{{1}, {1}, {1}, {1}, 2, rescaled({0.5, 0.25, 2, 3})},
       {{2, 4, 5}, {4, 2, 3}, {4}}},
      {Convolution{{1}, {2}, {0}, {0}, 1, rescaled({0.125})}, {{1, 2, 6}, {2, 2, 2}}},
      {TransposedConvolution{{2, 1}, {1, 2}, {1, 0}, {0, 1}, {1, 0}, 1, {}},
       {{1, 3, 3, 4}, {3, 2, 3, 2}, {2}}},
      {TransposedConvolution{{2}, {1}, {0}, {0}, {0}, 2, rescaled({1, 2, 3, 4})},
       {{1, 4, 3}, {4, 2, 2}, {4}}},
      {MatrixProduct{}, {{2, 3, 4}, {4, 5}, {5}}},
      {MatrixProduct{rescaled({0.5})}, {{1, 4}, {4, 3}}},
      {MatrixProduct{}, {{3, 1, 2, 4}, {2, 4, 2}}},
      {MatrixProduct{}, {{4}, {4, 2}}},
      {MatrixProduct{}, {{2, 4}, {4}}},
      {Pooling{Pooling::Kind::max, {2, 2}, {1, 2}, {1, 1}, {1, 0}, {4, 2}}, {{1, 2, 4, 4}}},
      {Pooling{Pooling::Kind::average, {3}, {2}, {1}, {1}, {3}, true, {1}}, {{1, 2, 5}}},
      {Pooling{Pooling::Kind::lp, {2}, {1}, {1}, {0}, {3}, false, {}, 1}, {{1, 2, 4}}},
      {Pooling{Pooling::Kind::lp, {2}, {1}, {1}, {0}, {3}, false, {}, 2}, {{1, 2, 4}}},
      {Pooling{Pooling::Kind::lp, {2}, {1}, {1}, {0}, {3}, false, {}, 3}, {{1, 2, 4}}},
      {Select{}, {{2, 1}, {3}, {2, 3}}, -2, 2, {0}},
      {Rearrange{{3, -1, 5, 5, 0, 7}, {2, 3}, 1.5}, {{4}, {2, 2}}},
      {SparseLinear{{0, 2, 2, 5}, {0, 3, 1, 1, 2}, {0.5f, -1, 2, 0.25f, 3}, {3}}, {{4}}},
      {Softmax{Softmax::Kind::softmax, 1}, {{2, 4, 3}}},
      {Softmax{Softmax::Kind::log_softmax, -1}, {{2, 4}}},
      {BatchNormalization{0.1}, {{2, 3, 2}, {3}, {3}, {3}, {3}}, 0.2, 2},
      {Standardize{{1, 2}, 0.1}, {{2, 3, 2}}},
      {LocalResponse{3, 0.5, 0.75, 1}, {{1, 5, 2}}},
      {Dequantize{{0.5, 0.25, 2}, 1}, {{2, 3, 2}}},
      {Dequantize{{0.125}, -1}, {{4}}},
  };
  using F = UnaryFunction;
  for (const F f :
       {F::abs,        F::asinh,    F::atan,     F::celu,       F::clip, F::cos,
        F::cosh,       F::elu,      F::erf,      F::exp,        F::gelu, F::gelu_tanh,
        F::identity,   F::is_inf,   F::is_nan,   F::leaky_relu, F::mish, F::negative,
        F::relu,       F::selu,     F::shrink,   F::sigmoid,    F::silu, F::sin,
        F::sinh,       F::softplus, F::softsign, F::square,     F::tanh, F::thresholded_relu,
        F::logical_not}) {
    rows.push_back({Unary{f, 0.4, 1.3}, {{3, 4}}});
  }
  rows.push_back({Unary{F::hard_sigmoid, 0.4, 0.5}, {{12}}});
  rows.push_back({Unary{F::hard_swish}, {{12}}, -5, 5});
  rows.push_back({Unary{F::tan}, {{12}}, -1, 1});
  for (const F f : {F::acos, F::asin, F::atanh}) rows.push_back({Unary{f}, {{6}}, -0.9, 0.9});
  rows.push_back({Unary{F::acosh}, {{6}}, 1.1, 3});
  for (const F f : {F::log, F::sqrt, F::reciprocal}) rows.push_back({Unary{f}, {{6}}, 0.2, 3});
  using Two = BinaryFunction;
  for (const Two f :
       {Two::add, Two::subtract, Two::multiply, Two::minimum, Two::maximum, Two::prelu, Two::less,
        Two::equal, Two::logical_and, Two::greater, Two::less_or_equal, Two::greater_or_equal,
        Two::logical_or, Two::logical_xor}) {
    rows.push_back({Binary{f}, {{2, 1, 3}, {4, 1}}});
  }
  for (const B f : {B::divide, B::power, B::modulo_floor, B::modulo_truncate}) {
    rows.push_back({Binary{f}, {{2, 3}, {2, 3}}, 0.3, 2});
  }
  using R = ReduceFunction;
  for (const R f : {R::sum, R::mean, R::max, R::min, R::product, R::l1, R::l2, R::log_sum,
                    R::log_sum_exp, R::sum_square}) {
    rows.push_back({Reduce{f, {0, 2}, false}, {{2, 3, 2}}, 0.2, 2});
    rows.push_back({Reduce{f, {1}, true}, {{2, 3}}, f == R::log_sum ? 0.2 : -2, 2});
  }
  rows.push_back({ArgReduce{true, 1, true, false}, {{2, 3}}});
  rows.push_back({Softmax{Softmax::Kind::hardmax, 1}, {{2, 3}}});
  return rows;
}

/// What the derivative stands for does not show in differences of the outputs.
std::vector<Row> straight_through_table() {
  using F = UnaryFunction;
  std::vector<Row> rows;
  for (const F f : {F::ceil, F::floor, F::round_half_even, F::truncate, F::sign}) {
    rows.push_back({Unary{f}, {{12}}});
  }
  rows.push_back({Binary{BinaryFunction::divide_truncating}, {{6}, {6}}, 0.3, 2});
  rows.push_back({Quantize{fixed_point(4, 1)}, {{12}}});
  Encoding channels{.format = integer_format(3, false)};
  channels.scale = {0.5, 0.25, 2};
  channels.axis = 1;
  rows.push_back({Quantize{channels, false}, {{2, 3, 2}}});
  rows.push_back({Quantize{{bipolar_format()}}, {{12}}});
  rows.push_back({Quantize{{float16_format()}}, {{12}}});
  return rows;
}

double draw(std::mt19937& random, double from, double to) {
  return std::uniform_real_distribution<double>(from, to)(random);
}

Doubles draw_many(std::size_t count, std::mt19937& random, double from = -1, double to = 1) {
  Doubles numbers(count);
  for (double& x : numbers) x = draw(random, from, to);
  return numbers;
}

/// Inputs of a row; those in `constant` (a bit each) are constants.
Operands draw_operands(const Row& row, std::uint32_t constant, std::mt19937& random) {
  Operands operands;
  for (std::size_t i = 0; i < row.shapes.size(); ++i) {
    const bool is_constant = (constant >> i & 1) != 0;
    const auto count = element_count(row.shapes[i]) * (is_constant ? 1 : kLanes);
    operands.push_back({row.shapes[i], draw_many(count, random, row.from, row.to), is_constant});
    if (std::ranges::find(row.fixed, i) == row.fixed.end()) continue;
    for (double& x : operands.back().data) x = x > 0 ? 1 : 0;
  }
  return operands;
}

Operands moved(const Operands& at, const std::vector<Doubles>& direction, double step) {
  Operands result = at;
  for (std::size_t i = 0; i < at.size(); ++i) {
    for (std::size_t e = 0; e < at[i].data.size(); ++e) result[i].data[e] += step * direction[i][e];
  }
  return result;
}

template <typename T>
std::vector<View<T>> views(const std::vector<Operand<T>>& operands) {
  std::vector<View<T>> result;
  for (const Operand<T>& o : operands) result.push_back({o.data.data(), &o.shape, o.constant});
  return result;
}

Shape shape_of(const Row& row) {
  return output_shape(row.op, row.shapes);
}

/// A direction for every input, zero for those without a derivative.
std::vector<Doubles> draw_direction(const Row& row, const Operands& at, std::mt19937& random) {
  std::vector<Doubles> direction;
  for (std::size_t i = 0; i < at.size(); ++i) {
    const bool fixed = std::ranges::find(row.fixed, i) != row.fixed.end();
    direction.push_back(draw_many(at[i].data.size(), random, fixed ? 0 : -1, fixed ? 0 : 1));
  }
  return direction;
}

Doubles pushed(const Row& row, const Operands& at, const std::vector<Doubles>& direction) {
  const Doubles output = run<double>(row.op, at, kLanes);
  Doubles out(output.size());
  std::vector<const double*> tangents;
  for (const Doubles& t : direction) tangents.push_back(t.data());
  jvp(row.op, views(at), shape_of(row), output.data(), tangents, out.data(), kLanes);
  return out;
}

std::vector<Doubles> pulled(const Row& row, const Operands& at, const Doubles& cotangent) {
  const Doubles output = run<double>(row.op, at, kLanes);
  std::vector<Doubles> to;
  std::vector<double*> pointers;
  for (const Operand<double>& o : at) to.emplace_back(o.data.size(), 0.0);
  for (Doubles& t : to) pointers.push_back(t.data());
  vjp<double>(row.op, views(at), shape_of(row), output.data(), cotangent.data(), pointers, kLanes);
  return to;
}

/// The derivative of pulled() along a direction, by dual numbers.
std::vector<Doubles> pulled_along(const Row& row, const Operands& at,
                                  const std::vector<Doubles>& direction, const Doubles& cotangent,
                                  const Doubles& cotangent_direction) {
  const Doubles output = run<double>(row.op, at, kLanes);
  const Doubles output_direction = pushed(row, at, direction);
  const auto pair = [](const Doubles& a, const Doubles& b) {
    std::vector<Dual> both;
    for (std::size_t i = 0; i < a.size(); ++i) both.emplace_back(a[i], b[i]);
    return both;
  };
  std::vector<Operand<Dual>> dual;
  std::vector<std::vector<Dual>> to;
  std::vector<Dual*> pointers;
  for (std::size_t i = 0; i < at.size(); ++i) {
    dual.push_back({at[i].shape, pair(at[i].data, direction[i]), at[i].constant});
    to.emplace_back(at[i].data.size());
  }
  for (auto& t : to) pointers.push_back(t.data());
  vjp<Dual>(row.op, views(dual), shape_of(row), pair(output, output_direction).data(),
            pair(cotangent, cotangent_direction).data(), pointers, kLanes);
  std::vector<Doubles> tangents;
  for (const auto& t : to) {
    tangents.emplace_back();
    for (const Dual x : t) tangents.back().push_back(x.tangent);
  }
  return tangents;
}

double dot(const Doubles& a, const Doubles& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

/// Runs a law on every row, with every choice of constant inputs.
void for_each_case(const std::vector<Row>& rows,
                   const std::function<void(const Row&, const Operands&, std::mt19937&)>& law) {
  std::mt19937 random(7);
  for (std::size_t r = 0; r < rows.size(); ++r) {
    const std::uint32_t choices = 1u << rows[r].shapes.size();
    for (std::uint32_t constant = 0; constant < choices; ++constant) {
      SCOPED_TRACE(std::string(name(rows[r].op)) + ", row " + std::to_string(r) + ", constants " +
                   std::to_string(constant));
      law(rows[r], draw_operands(rows[r], constant, random), random);
      if (testing::Test::HasFailure()) return;
    }
  }
}

void expect_adjoint(const Row& row, const Operands& at, std::mt19937& random) {
  const auto direction = draw_direction(row, at, random);
  const Doubles tangent = pushed(row, at, direction);
  const Doubles cotangent = draw_many(tangent.size(), random);
  const auto gradient = pulled(row, at, cotangent);
  double back = 0;
  for (std::size_t i = 0; i < at.size(); ++i) back += dot(gradient[i], direction[i]);
  EXPECT_NEAR(back, dot(cotangent, tangent), 1e-11 * (1 + std::abs(back)));
}

TEST(Derivative, VjpIsTheAdjointOfJvp) {
  for_each_case(table(), expect_adjoint);
  for_each_case(straight_through_table(), expect_adjoint);
}

TEST(Derivative, JvpIsWhatFiniteDifferencesSay) {
  for_each_case(table(), [](const Row& row, const Operands& at, std::mt19937& random) {
    constexpr double kStep = 1e-6;
    const auto direction = draw_direction(row, at, random);
    const Doubles up = run<double>(row.op, moved(at, direction, kStep), kLanes);
    const Doubles down = run<double>(row.op, moved(at, direction, -kStep), kLanes);
    const Doubles tangent = pushed(row, at, direction);
    for (std::size_t i = 0; i < up.size(); ++i) {
      const double expected = (up[i] - down[i]) / (2 * kStep);
      EXPECT_NEAR(tangent[i], expected, 2e-8 * (1 + std::abs(expected))) << "element " << i;
    }
  });
}

TEST(Derivative, VjpOfDualNumbersIsTheDerivativeOfVjp) {
  for_each_case(table(), [](const Row& row, const Operands& at, std::mt19937& random) {
    constexpr double kStep = 1e-6;
    const auto direction = draw_direction(row, at, random);
    const std::size_t outputs = run<double>(row.op, at, kLanes).size();
    const Doubles cotangent = draw_many(outputs, random);
    const Doubles cotangent_direction = draw_many(outputs, random);
    const auto at_step = [&](double step) {
      Doubles there = cotangent;
      for (std::size_t i = 0; i < outputs; ++i) there[i] += step * cotangent_direction[i];
      return pulled(row, moved(at, direction, step), there);
    };
    const auto up = at_step(kStep), down = at_step(-kStep);
    const auto tangents = pulled_along(row, at, direction, cotangent, cotangent_direction);
    for (std::size_t i = 0; i < at.size(); ++i) {
      if (std::ranges::find(row.fixed, i) != row.fixed.end()) continue;
      for (std::size_t e = 0; e < up[i].size(); ++e) {
        const double expected = (up[i][e] - down[i][e]) / (2 * kStep);
        EXPECT_NEAR(tangents[i][e], expected, 1e-7 * (1 + std::abs(expected)))
            << "input " << i << ", element " << e;
      }
    }
  });
}

Doubles slopes_of(const Op& op, const Doubles& x) {
  const Row row{op, {{1, static_cast<std::int64_t>(x.size())}}};
  const Operands at{{row.shapes[0], x, true}};
  Doubles slopes;
  for (std::size_t i = 0; i < x.size(); ++i) {
    Doubles direction(x.size(), 0.0);
    direction[i] = 1;
    slopes.push_back(pushed(row, at, {direction})[i * kLanes]);
  }
  return slopes;
}

TEST(Derivative, QuantizersPassStraightThroughWhereTheyDoNotClip) {
  // Codes −8 … 7 in steps of 1/8.
  EXPECT_EQ(slopes_of(Quantize{fixed_point(4, 1)}, {-1.01, -1, -0.3, 0, 0.875, 0.88}),
            (Doubles{0, 8, 8, 8, 8, 0}));
  // Codes 0 … 15 in steps of 1/8: a relu too.
  EXPECT_EQ(slopes_of(Quantize{fixed_point(4, 1, false)}, {-0.1, 0, 0.01, 1.875, 1.9}),
            (Doubles{0, 0, 8, 8, 0}));
  EXPECT_EQ(slopes_of(Quantize{{bipolar_format()}}, {-1.1, -1, 0.2, 1, 1.1}),
            (Doubles{0, 1, 1, 1, 0}));
  EXPECT_EQ(slopes_of(Unary{UnaryFunction::round_half_even}, {-1.7, 0.2}), (Doubles{1, 1}));
  EXPECT_EQ(slopes_of(Unary{UnaryFunction::sign}, {-1.7, 0.2}), (Doubles{0, 1}));
}

TEST(Derivative, KinksAndTiesTakeOneSide) {
  EXPECT_EQ(slopes_of(Unary{UnaryFunction::relu}, {-1, 0, 1}), (Doubles{0, 0, 1}));
  EXPECT_EQ(slopes_of(Unary{UnaryFunction::abs}, {-1, 0, 1}), (Doubles{-1, 0, 1}));
  const Row row{Pooling{Pooling::Kind::max, {2}, {1}, {1}, {0}, {1}}, {{1, 1, 2}}};
  const auto gradient = pulled(row, {{row.shapes[0], {3, 3}, true}}, Doubles(kLanes, 1.0));
  EXPECT_EQ(gradient[0], (Doubles{kLanes, 0}));
}

}  // namespace
}  // namespace flipscope
