#include "flipscope/ops/binary.h"

#include <rapidcheck.h>

#include "flipscope/numeric/error.h"
#include "flipscope/ops/test_op_laws.h"

namespace flipscope {
namespace {

using B = BinaryFunction;
using Numbers = std::vector<float>;

Numbers pairs(B function, const Numbers& a, const Numbers& b) {
  const auto n = static_cast<std::int64_t>(a.size());
  return run<float>(Binary{function}, {{{n}, a}, {{n}, b}}, 1);
}

TEST(Binary, Arithmetic) {
  const Numbers a{7, -7, 7, -7}, b{2, 2, -2, -2};
  expect_same(pairs(B::add, a, b), {9, -5, 5, -9});
  expect_same(pairs(B::subtract, a, b), {5, -9, 9, -5});
  expect_same(pairs(B::multiply, a, b), {14, -14, -14, 14});
  expect_same(pairs(B::divide, a, b), {3.5f, -3.5f, -3.5f, 3.5f});
  expect_same(pairs(B::divide_truncating, a, b), {3, -3, -3, 3});
  expect_same(pairs(B::modulo_floor, a, b), {1, 1, -1, -1});
  expect_same(pairs(B::modulo_truncate, a, b), {1, -1, 1, -1});
  expect_same(pairs(B::power, {2, 9, -2, 0}, {10, 0.5f, 3, 0}), {1024, 3, -8, 1});
  expect_same(pairs(B::prelu, {2, -2, 0}, {0.5f, 0.5f, 3}), {2, -1, 0});
}

TEST(Binary, ExtremesKeepNaN) {
  constexpr float nan = kNaN;
  const Numbers a{1, 5, nan, 1}, b{2, -3, 1, nan};
  expect_same(pairs(B::minimum, a, b), {1, -3, nan, nan});
  expect_same(pairs(B::maximum, a, b), {2, 5, nan, nan});
}

TEST(Binary, ComparisonsAndLogic) {
  constexpr float nan = kNaN;
  const Numbers a{1, 2, 3, nan}, b{2, 2, 2, 1};
  expect_same(pairs(B::equal, a, b), {0, 1, 0, 0});
  expect_same(pairs(B::less, a, b), {1, 0, 0, 0});
  expect_same(pairs(B::less_or_equal, a, b), {1, 1, 0, 0});
  expect_same(pairs(B::greater, a, b), {0, 0, 1, 0});
  expect_same(pairs(B::greater_or_equal, a, b), {0, 1, 1, 0});
  const Numbers p{0, 0, 3, -1}, q{0, 2, 0, 5};
  expect_same(pairs(B::logical_and, p, q), {0, 0, 0, 1});
  expect_same(pairs(B::logical_or, p, q), {0, 1, 1, 1});
  expect_same(pairs(B::logical_xor, p, q), {0, 1, 1, 0});
}

TEST(Select, PicksByCondition) {
  const std::vector<Operand<float>> operands{{{2, 1}, {0, -3}}, {{3}, {1, 2, 3}}, {{1, 1}, {9}}};
  expect_same(run<float>(Select{}, operands, 1), {9, 9, 9, 1, 2, 3});
}

/// Element of a broadcast input for element `index` of the output, axis by axis from the end.
std::int64_t source(const Shape& in, const Shape& out, std::int64_t index) {
  std::int64_t result = 0, step = 1;
  for (std::size_t back = 1; back <= out.size(); ++back) {
    const std::int64_t at = index % out[out.size() - back];
    index /= out[out.size() - back];
    if (back > in.size()) continue;
    const std::int64_t length = in[in.size() - back];
    result += (length == 1 ? 0 : at) * step;
    step *= length;
  }
  return result;
}

/// A shape that broadcasts to `out`.
Shape broadcastable(const Shape& out) {
  Shape shape(out.begin() + *rc::gen::inRange<int>(0, static_cast<int>(out.size()) + 1), out.end());
  for (std::int64_t& length : shape) {
    if (*rc::gen::arbitrary<bool>()) length = 1;
  }
  return shape;
}

TEST(Binary, BroadcastsAsANaiveLoopDoes) {
  rc::check([] {
    Shape full;
    const int rank = *rc::gen::inRange(0, 5);
    for (int i = 0; i < rank; ++i) full.push_back(*rc::gen::inRange<std::int64_t>(1, 4));
    const std::vector<Shape> shapes{broadcastable(full), broadcastable(full), broadcastable(full)};
    const int lanes = *rc::gen::inRange(1, 20);
    std::mt19937 random(*rc::gen::arbitrary<std::uint32_t>());
    std::vector<Operand<float>> operands;
    for (const Shape& shape : shapes) {
      const bool constant = *rc::gen::arbitrary<bool>();
      operands.push_back(
          {shape, awkward_numbers<float>(element_count(shape) * (constant ? 1 : lanes), random),
           constant});
    }
    const auto at = [&](std::size_t input, const Shape& out, std::int64_t element, int lane) {
      const Operand<float>& operand = operands[input];
      const std::int64_t from = source(operand.shape, out, element);
      return operand.data[operand.constant ? from : from * lanes + lane];
    };

    const Shape selected = output_shape(Select{}, shapes);
    const Numbers choice = run<float>(Select{}, operands, lanes);
    const Shape summed = output_shape(Binary{}, {shapes.data(), 2});
    const Numbers sum = run<float>(Binary{B::subtract}, {operands[0], operands[1]}, lanes);
    for (int lane = 0; lane < lanes; ++lane) {
      for (std::int64_t e = 0; e < element_count(selected); ++e) {
        const float expected =
            at(0, selected, e, lane) != 0 ? at(1, selected, e, lane) : at(2, selected, e, lane);
        RC_ASSERT(same(choice[e * lanes + lane], expected));
      }
      for (std::int64_t e = 0; e < element_count(summed); ++e) {
        RC_ASSERT(same(sum[e * lanes + lane], at(0, summed, e, lane) - at(1, summed, e, lane)));
      }
    }
  });
}

TEST(Binary, Laws) {
  for (int function = 0; function <= static_cast<int>(B::prelu); ++function) {
    expect_lane_laws(Binary{static_cast<B>(function)}, {{2, 3, 4}, {3, 1}});
    expect_lane_laws(Binary{static_cast<B>(function)}, {{2, 5}, {2, 5}});
  }
  expect_lane_laws(Select{}, {{2, 1, 4}, {3, 1}, {2, 3, 4}});
}

TEST(Binary, Misfits) {
  EXPECT_THROW(output_shape(Binary{}, std::vector<Shape>{{2, 3}, {2}}), Error);
  EXPECT_THROW(output_shape(Binary{}, std::vector<Shape>{{2, 3}}), Error);
  EXPECT_THROW(output_shape(Select{}, std::vector<Shape>{{2}, {2}, {3}}), Error);
}

}  // namespace
}  // namespace flipscope
