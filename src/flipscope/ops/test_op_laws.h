// For tests: running an operator on plain vectors, and the laws that hold for every operator.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

#include "flipscope/ops/op.h"

namespace flipscope {

inline constexpr float kInf = std::numeric_limits<float>::infinity();
inline constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

/// One input: [element][lane], or [element] for a constant.
template <typename T>
struct Operand {
  Shape shape;
  std::vector<T> data;
  bool constant = false;
};

/// The output [element][lane].
template <typename T>
std::vector<T> run(const Op& op, const std::vector<Operand<T>>& operands, int lanes) {
  std::vector<Shape> shapes;
  std::vector<View<T>> views;
  for (const Operand<T>& operand : operands) {
    shapes.push_back(operand.shape);
    views.push_back({operand.data.data(), &operand.shape, operand.constant});
  }
  const Shape out_shape = output_shape(op, shapes);
  std::vector<T> out(element_count(out_shape) * lanes, static_cast<T>(-77));
  forward<T>(op, views, out_shape, out.data(), lanes);
  return out;
}

/// One input, one lane, given as the values of one axis.
inline std::vector<float> run1(const Op& op, const std::vector<float>& x) {
  return run<float>(op, {{{1, static_cast<std::int64_t>(x.size())}, x}}, 1);
}

/// Equal bits, where every NaN equals every other.
template <typename T>
bool same(T a, T b) {
  if (std::isnan(a) || std::isnan(b)) return std::isnan(a) && std::isnan(b);
  return a == b && std::signbit(a) == std::signbit(b);
}

template <typename T>
void expect_same(const std::vector<T>& actual, const std::vector<T>& expected) {
  ASSERT_EQ(actual.size(), expected.size());
  for (std::size_t i = 0; i < actual.size(); ++i) {
    EXPECT_TRUE(same(actual[i], expected[i]))
        << "element " << i << " is " << actual[i] << ", expected " << expected[i];
  }
}

/// Numbers between −4 and 4, one in four of them a multiple of 1/2 (ties), one in sixteen NaN,
/// infinite, or a zero of either sign.
template <typename T>
std::vector<T> awkward_numbers(std::size_t count, std::mt19937& random) {
  const double special[] = {kNaN, kInf, -kInf, 0.0, -0.0, 1e30, -1e30, 1e-40};
  std::uniform_real_distribution<double> number(-4, 4);
  std::vector<T> result(count);
  for (T& x : result) {
    const auto kind = random() % 16;
    const double drawn = number(random);
    x = static_cast<T>(kind == 0  ? special[random() % 8]
                       : kind < 5 ? std::nearbyint(drawn * 2) / 2
                                  : drawn);
  }
  return result;
}

/// Law 1: lane k of a run on many lanes is the run on the values of lane k alone.
/// Law 2: a constant input gives what a runtime input with these values in every lane gives.
template <typename T>
void expect_lane_laws(const Op& op, const std::vector<Shape>& shapes, std::uint32_t seed) {
  std::mt19937 random(seed);
  for (const int lanes : {32, 5}) {
    std::vector<Operand<T>> runtime, single;
    for (const Shape& shape : shapes) {
      const std::int64_t count = element_count(shape);
      runtime.push_back({shape, awkward_numbers<T>(count * lanes, random)});
      single.push_back({shape, std::vector<T>(count)});
    }
    const std::vector<T> together = run<T>(op, runtime, lanes);
    for (int lane = 0; lane < lanes; ++lane) {
      for (std::size_t i = 0; i < shapes.size(); ++i) {
        for (std::size_t e = 0; e < single[i].data.size(); ++e) {
          single[i].data[e] = runtime[i].data[e * lanes + lane];
        }
      }
      const std::vector<T> alone = run<T>(op, single, 1);
      std::vector<T> column(alone.size());
      for (std::size_t e = 0; e < alone.size(); ++e) column[e] = together[e * lanes + lane];
      expect_same(column, alone);
      if (testing::Test::HasFailure()) return;
    }

    for (std::uint32_t mask = 1; mask < (1u << shapes.size()); ++mask) {
      std::vector<Operand<T>> mixed = runtime, spread = runtime;
      for (std::size_t i = 0; i < shapes.size(); ++i) {
        if (!(mask >> i & 1)) continue;
        mixed[i] = {shapes[i], awkward_numbers<T>(element_count(shapes[i]), random), true};
        for (std::size_t e = 0; e < spread[i].data.size(); ++e) {
          spread[i].data[e] = mixed[i].data[e / lanes];
        }
      }
      expect_same(run<T>(op, mixed, lanes), run<T>(op, spread, lanes));
      if (testing::Test::HasFailure()) return;
    }
  }
}

/// Both laws for float and double.
inline void expect_lane_laws(const Op& op, const std::vector<Shape>& shapes) {
  SCOPED_TRACE(name(op));
  expect_lane_laws<float>(op, shapes, 1);
  expect_lane_laws<double>(op, shapes, 2);
}

}  // namespace flipscope
