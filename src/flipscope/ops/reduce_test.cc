#include "flipscope/ops/reduce.h"

#include <rapidcheck.h>

#include <algorithm>

#include "flipscope/numeric/error.h"
#include "flipscope/ops/test_op_laws.h"

namespace flipscope {
namespace {

using R = ReduceFunction;
using Numbers = std::vector<float>;

float of_row(R function, const Numbers& x) {
  return run<float>(Reduce{function, {0}}, {{{static_cast<std::int64_t>(x.size())}, x}}, 1)[0];
}

TEST(Reduce, Functions) {
  const Numbers x{3, -4, 12};
  EXPECT_EQ(of_row(R::sum, x), 11);
  EXPECT_EQ(of_row(R::mean, x), 11.0f / 3);
  EXPECT_EQ(of_row(R::max, x), 12);
  EXPECT_EQ(of_row(R::min, x), -4);
  EXPECT_EQ(of_row(R::product, x), -144);
  EXPECT_EQ(of_row(R::l1, x), 19);
  EXPECT_EQ(of_row(R::l2, x), 13);
  EXPECT_EQ(of_row(R::sum_square, x), 169);
  EXPECT_NEAR(of_row(R::log_sum, x), std::log(11), 1e-6);
  EXPECT_NEAR(of_row(R::log_sum_exp, x), 12.000123523502976, 1e-6);
}

TEST(Reduce, SumsInOrder) {
  EXPECT_EQ(of_row(R::sum, {1, 1e8f, -1e8f}), 0);
  EXPECT_EQ(of_row(R::sum, {1e8f, -1e8f, 1}), 1);
}

TEST(Reduce, NaNAndInfinity) {
  for (const R function : {R::sum, R::mean, R::max, R::min, R::product, R::l1, R::l2, R::log_sum,
                           R::log_sum_exp, R::sum_square}) {
    for (const Numbers& x : {Numbers{kNaN, 1, 2}, Numbers{1, kNaN, 2}, Numbers{1, 2, kNaN}}) {
      EXPECT_TRUE(std::isnan(of_row(function, x))) << static_cast<int>(function);
    }
  }
  EXPECT_EQ(of_row(R::log_sum_exp, {kInf, 1}), kInf);
  EXPECT_EQ(of_row(R::log_sum_exp, {-kInf, -kInf}), -kInf);
  EXPECT_EQ(of_row(R::log_sum_exp, {1000, -kInf}), 1000);
}

TEST(Reduce, Shapes) {
  const std::vector<Shape> in{{2, 3, 4}};
  EXPECT_EQ(output_shape(Reduce{R::sum, {0, 2}, true}, in), (Shape{1, 3, 1}));
  EXPECT_EQ(output_shape(Reduce{R::sum, {0, 2}, false}, in), (Shape{3}));
  EXPECT_EQ(output_shape(Reduce{R::sum, {0, 1, 2}, false}, in), (Shape{}));
  EXPECT_EQ(output_shape(Reduce{R::sum, {}, false}, in), (Shape{2, 3, 4}));
  EXPECT_EQ(output_shape(ArgReduce{true, -1, false}, in), (Shape{2, 3}));
  EXPECT_THROW(output_shape(Reduce{R::sum, {3}}, in), Error);
  EXPECT_THROW(output_shape(Reduce{R::sum, {-1}}, in), Error);
  EXPECT_THROW(output_shape(Reduce{R::sum, {1, 0}}, in), Error);
  EXPECT_THROW(output_shape(ArgReduce{true, 3}, in), Error);
  EXPECT_THROW(output_shape(ArgReduce{true, 0}, std::vector<Shape>{{0}}), Error);
}

TEST(Reduce, AnySetOfAxesOfThree) {
  rc::check([] {
    const Shape in{*rc::gen::inRange<std::int64_t>(1, 4), *rc::gen::inRange<std::int64_t>(1, 4),
                   *rc::gen::inRange<std::int64_t>(1, 4)};
    const int set = *rc::gen::inRange(0, 8);
    Reduce op{*rc::gen::element(R::sum, R::max), {}, *rc::gen::arbitrary<bool>()};
    for (int axis = 0; axis < 3; ++axis) {
      if (set >> axis & 1) op.axes.push_back(axis);
    }
    std::mt19937 random(*rc::gen::arbitrary<std::uint32_t>());
    Numbers x(element_count(in));
    for (float& v : x) v = static_cast<float>(random() % 100);

    const bool max = op.function == R::max;
    Shape kept = in;
    for (const std::int64_t axis : op.axes) kept[axis] = 1;
    Numbers expected(element_count(kept), max ? -kInf : 0.0f);
    for (std::int64_t i = 0; i < element_count(in); ++i) {
      const std::int64_t at[]{i / in[2] / in[1], i / in[2] % in[1], i % in[2]};
      const std::int64_t to =
          (at[0] % kept[0] * kept[1] + at[1] % kept[1]) * kept[2] + at[2] % kept[2];
      expected[to] = max ? std::max(expected[to], x[i]) : expected[to] + x[i];
    }
    RC_ASSERT(run<float>(op, {{in, x}}, 1) == expected);
  });
}

TEST(ArgReduce, FirstOrLastExtreme) {
  const std::vector<Operand<float>> x{{{2, 4}, {1, 5, 5, 1, 2, 2, 3, 3}}};
  expect_same(run<float>(ArgReduce{true, 1}, x, 1), {1, 2});
  expect_same(run<float>(ArgReduce{true, 1, true, true}, x, 1), {2, 3});
  expect_same(run<float>(ArgReduce{false, 1}, x, 1), {0, 0});
  expect_same(run<float>(ArgReduce{false, -1, true, true}, x, 1), {3, 1});
  expect_same(run<float>(ArgReduce{true, 0}, x, 1), {1, 0, 0, 1});
}

TEST(ArgReduce, NaNIsMostExtreme) {
  const std::vector<Operand<float>> x{{{5}, {1, kNaN, kInf, kNaN, -kInf}}};
  expect_same(run<float>(ArgReduce{true, 0}, x, 1), {1});
  expect_same(run<float>(ArgReduce{false, 0}, x, 1), {1});
  expect_same(run<float>(ArgReduce{true, 0, true, true}, x, 1), {3});
}

TEST(Reduce, Laws) {
  for (int function = 0; function <= static_cast<int>(R::sum_square); ++function) {
    expect_lane_laws(Reduce{static_cast<R>(function), {0, 2}, false}, {{2, 3, 4}});
  }
  for (const bool largest : {false, true}) {
    for (const bool last : {false, true}) {
      expect_lane_laws(ArgReduce{largest, 1, true, last}, {{2, 7, 2}});
    }
  }
}

}  // namespace
}  // namespace flipscope
