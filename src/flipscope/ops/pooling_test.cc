#include "flipscope/ops/pooling.h"

#include <rapidcheck.h>

#include <limits>

#include "flipscope/numeric/error.h"
#include "flipscope/ops/test_op_laws.h"

namespace flipscope {
namespace {

using Numbers = std::vector<float>;

Pooling pooling(Pooling::Kind kind, Shape kernel, Shape stride, Shape pad, Shape output) {
  Pooling op;
  op.kind = kind;
  op.kernel = kernel;
  op.stride = stride;
  op.dilation = Shape(kernel.size(), 1);
  op.pad_begin = pad;
  op.pad_end = pad;
  op.output = output;
  return op;
}

TEST(Pooling, MaximumOfWindows) {
  const Pooling op = pooling(Pooling::Kind::max, {2, 2}, {1, 2}, {0, 0}, {2, 2});
  const Numbers x{1, 2, 3,  4,  //
                  8, 7, 6,  5,  //
                  0, 9, -1, -2};
  expect_same(run<float>(op, {{{1, 1, 3, 4}, x}}, 1), {8, 6, 9, 6});
}

TEST(Pooling, PaddingIsNeverTheMaximum) {
  Pooling op = pooling(Pooling::Kind::max, {2}, {2}, {1}, {3});
  expect_same(run<float>(op, {{{1, 1, 3}, {-5, -6, -7}}}, 1), {-5, -6, -kInf});
  op.kernel = {1};
  expect_same(run<float>(op, {{{1, 1, 3}, {-5, -6, -7}}}, 1), {-kInf, -6, -kInf});
}

TEST(Pooling, MaximumKeepsNaN) {
  const Pooling op = pooling(Pooling::Kind::max, {3}, {3}, {0}, {3});
  constexpr float nan = kNaN;
  expect_same(run<float>(op, {{{1, 1, 9}, {nan, 1, 2, 1, nan, 2, 1, 2, nan}}}, 1), {nan, nan, nan});
}

TEST(Pooling, AverageCountsPaddingOnRequest) {
  Pooling op = pooling(Pooling::Kind::average, {3}, {2}, {1}, {3});
  const std::vector<Operand<float>> x{{{1, 1, 4}, {3, 6, 9, 12}}};
  expect_same(run<float>(op, x, 1), {4.5f, 9.0f, 12.0f});
  op.count_padding = true;  // the last window reaches one past the padding, which never counts
  expect_same(run<float>(op, x, 1), {3.0f, 9.0f, 6.0f});
}

TEST(Pooling, DilatedTaps) {
  Pooling op = pooling(Pooling::Kind::average, {2}, {1}, {0}, {3});
  op.dilation = {2};
  expect_same(run<float>(op, {{{1, 1, 5}, {0, 1, 2, 3, 4}}}, 1), {1, 2, 3});
}

TEST(Pooling, Norms) {
  Pooling op = pooling(Pooling::Kind::lp, {2}, {2}, {0}, {1});
  const std::vector<Operand<float>> x{{{1, 1, 2}, {-3, 4}}};
  expect_same(run<float>(op, x, 1), {5});
  op.p = 1;
  expect_same(run<float>(op, x, 1), {7});
  op.p = 3;
  EXPECT_NEAR(run<float>(op, x, 1)[0], std::cbrt(27 + 64), 1e-5);
}

/// The definition, written for two axes and one sample.
Numbers naive(const Pooling& op, const Shape& in, const Numbers& x) {
  Numbers out;
  for (int c = 0; c < in[0] * in[1]; ++c) {
    for (int oy = 0; oy < op.output[0]; ++oy) {
      for (int ox = 0; ox < op.output[1]; ++ox) {
        float most = -std::numeric_limits<float>::infinity(), sum = 0;
        int count = 0;
        for (int ky = 0; ky < op.kernel[0]; ++ky) {
          for (int kx = 0; kx < op.kernel[1]; ++kx) {
            const auto y = oy * op.stride[0] + ky * op.dilation[0] - op.pad_begin[0];
            const auto at = ox * op.stride[1] + kx * op.dilation[1] - op.pad_begin[1];
            const bool inside = y >= 0 && y < in[2] && at >= 0 && at < in[3];
            const bool padded = y < in[2] + op.pad_end[0] && at < in[3] + op.pad_end[1];
            count += inside || (op.count_padding && padded);
            if (!inside) continue;
            const float value = x[(c * in[2] + y) * in[3] + at];
            most = std::isnan(most) || std::isnan(value) ? std::nanf("") : std::max(most, value);
            sum += value;
          }
        }
        const bool max = op.kind == Pooling::Kind::max;
        out.push_back(max ? most : sum / static_cast<float>(count));
      }
    }
  }
  return out;
}

TEST(Pooling, EqualsTheDefinitionOnRandomWindows) {
  rc::check([] {
    const auto pair = [](int from, int to) {
      return Shape{*rc::gen::inRange<std::int64_t>(from, to),
                   *rc::gen::inRange<std::int64_t>(from, to)};
    };
    Pooling op = pooling(*rc::gen::element(Pooling::Kind::max, Pooling::Kind::average), pair(1, 4),
                         pair(1, 4), pair(0, 3), pair(1, 5));
    op.dilation = pair(1, 3);
    op.pad_end = pair(0, 3);
    op.count_padding = *rc::gen::arbitrary<bool>();
    const Shape plane = pair(1, 6);
    const Shape in{*rc::gen::inRange<std::int64_t>(1, 3), 2, plane[0], plane[1]};
    std::mt19937 random(*rc::gen::arbitrary<std::uint32_t>());
    const Numbers x = awkward_numbers<float>(element_count(in), random);
    const Numbers actual = run<float>(op, {{in, x}}, 1), expected = naive(op, in, x);
    RC_ASSERT(actual.size() == expected.size());
    for (std::size_t i = 0; i < actual.size(); ++i) RC_ASSERT(same(actual[i], expected[i]));
  });
}

TEST(Pooling, Laws) {
  for (const auto kind : {Pooling::Kind::max, Pooling::Kind::average, Pooling::Kind::lp}) {
    expect_lane_laws(pooling(kind, {3, 2}, {2, 1}, {1, 1}, {2, 3}), {{1, 2, 4, 3}});
  }
}

TEST(Pooling, Misfits) {
  const Pooling op = pooling(Pooling::Kind::max, {2, 2}, {2, 2}, {0, 0}, {1, 1});
  EXPECT_THROW(output_shape(op, std::vector<Shape>{{1, 3, 2}}), Error);
  EXPECT_THROW(output_shape(op, std::vector<Shape>{{1, 3}}), Error);
  EXPECT_THROW(output_shape(op, std::vector<Shape>{}), Error);
  EXPECT_EQ(output_shape(op, std::vector<Shape>{{1, 3, 2, 2}}), (Shape{1, 3, 1, 1}));
}

}  // namespace
}  // namespace flipscope
