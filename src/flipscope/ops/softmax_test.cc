#include "flipscope/ops/softmax.h"

#include "flipscope/numeric/error.h"
#include "flipscope/ops/test_op_laws.h"

namespace flipscope {
namespace {

using Kind = Softmax::Kind;
using Numbers = std::vector<float>;

TEST(Softmax, ThreeNumbers) {
  const Numbers y = run1(Softmax{}, {1, 2, 3});
  const double expected[]{0.09003057317038046, 0.24472847105479767, 0.6652409557748219};
  const Numbers log = run1(Softmax{Kind::log_softmax}, {1, 2, 3});
  for (int i = 0; i < 3; ++i) {
    EXPECT_NEAR(y[i], expected[i], 1e-7);
    EXPECT_NEAR(log[i], std::log(expected[i]), 3e-7);
  }
}

TEST(Softmax, LargeNumbersDoNotOverflow) {
  expect_same(run1(Softmax{}, {1000, 1000, -1000, -kInf}), {0.5f, 0.5f, 0, 0});
  expect_same(run1(Softmax{Kind::log_softmax}, {1000, -1000}), {0, -2000});
}

TEST(Softmax, NaNAndInfinitySpreadOverTheGroup) {
  for (const Kind kind : {Kind::softmax, Kind::log_softmax}) {
    expect_same(run1(Softmax{kind}, {1, kNaN, 2}), {kNaN, kNaN, kNaN});
  }
  EXPECT_TRUE(std::isnan(run1(Softmax{}, {kInf, 0})[0]));
}

TEST(Softmax, HardmaxTakesTheFirstMaximum) {
  const Softmax op{Kind::hardmax};
  expect_same(run1(op, {1, 3, 3, 2}), {0, 1, 0, 0});
  expect_same(run1(op, {-kInf, -kInf}), {1, 0});
  expect_same(run1(op, {5, kNaN, kNaN}), {0, kNaN, 0});
}

TEST(Softmax, EveryAxisIsItsOwnGroups) {
  Softmax op{Kind::hardmax, 1};
  const std::vector<Operand<float>> x{{{2, 2, 2}, {1, 4, 2, 3, 8, 5, 7, 6}}};
  expect_same(run<float>(op, x, 1), {0, 1, 1, 0, 1, 0, 0, 1});
  op.axis = -1;
  expect_same(run<float>(op, x, 1), {0, 1, 0, 1, 1, 0, 1, 0});
  op.axis = -3;
  expect_same(run<float>(op, x, 1), {0, 0, 0, 0, 1, 1, 1, 1});
}

TEST(Softmax, Laws) {
  for (const Kind kind : {Kind::softmax, Kind::log_softmax, Kind::hardmax}) {
    expect_lane_laws(Softmax{kind, 1}, {{2, 5, 3}});
  }
}

TEST(Softmax, Misfits) {
  EXPECT_THROW(output_shape(Softmax{Kind::softmax, 2}, std::vector<Shape>{{1, 3}}), Error);
  EXPECT_THROW(output_shape(Softmax{Kind::softmax, -3}, std::vector<Shape>{{1, 3}}), Error);
}

}  // namespace
}  // namespace flipscope
