#include "flipscope/numeric/deterministic_math.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace flipscope {
namespace {

struct Function {
  std::string name;
  float (*in_float)(float);
  double (*in_double)(double);
  long double (*truth)(long double);
};

#define ROW(name)                                                           \
  {                                                                         \
#name, det::name, det::name, [](long double x) { return std::name(x); } \
  }

const std::vector<Function> kFunctions = {
    ROW(exp),  ROW(exp2),  ROW(expm1), ROW(log),   ROW(log2), ROW(log1p), ROW(sin),
    ROW(cos),  ROW(tan),   ROW(asin),  ROW(acos),  ROW(atan), ROW(sinh),  ROW(cosh),
    ROW(tanh), ROW(asinh), ROW(acosh), ROW(atanh), ROW(erf),  ROW(erfc),  ROW(cbrt),
};

#undef ROW

template <typename T>
double ulps_between(T value, long double truth) {
  const T rounded = static_cast<T>(truth);
  const T next = std::nextafter(std::fabs(rounded), std::numeric_limits<T>::infinity());
  const long double ulp = static_cast<long double>(next) - std::fabs(rounded);
  return static_cast<double>(std::fabs(static_cast<long double>(value) - truth) / ulp);
}

/// Error of a result in ulps; a wrong NaN or infinity is an infinite error, and so is a
/// result of the wrong class.
template <typename T>
double error_of(T value, long double truth) {
  if (std::isnan(truth)) return std::isnan(value) ? 0 : INFINITY;
  if (std::isinf(static_cast<T>(truth))) return value == static_cast<T>(truth) ? 0 : INFINITY;
  if (!std::isfinite(value)) return INFINITY;
  return ulps_between(value, truth);
}

template <typename T>
double bound_of(const std::string& name, long double truth) {
  if (std::fabs(truth) < std::numeric_limits<T>::min()) return 2;  // denormal
  if (name == "erf" || name == "erfc") return 1.6;
  return (name == "sinh" || name == "cosh") && std::fabs(truth) > 1e307L ? 4 : 1.1;
}

// Every 39119th float word and as many double words, so every binade, denormals too. The C
// library's long double functions are the truth.
TEST(DeterministicMath, IsWithinTheStatedErrorOverTheWholeRange) {
  for (const Function& function : kFunctions) {
    for (std::uint64_t k = 0; k < (std::uint64_t{1} << 32); k += 39119) {
      const auto narrow = std::bit_cast<float>(static_cast<std::uint32_t>(k));
      const auto wide = std::bit_cast<double>(k << 32 | (k * 2654435761u & 0xffffffff));
      const long double narrow_truth = function.truth(narrow);
      ASSERT_LE(error_of(function.in_float(narrow), narrow_truth),
                bound_of<float>(function.name, narrow_truth))
          << function.name << "(float " << narrow << ")";
      const long double wide_truth = function.truth(wide);
      ASSERT_LE(error_of(function.in_double(wide), wide_truth),
                bound_of<double>(function.name, wide_truth))
          << function.name << "(double " << wide << ")";
    }
  }
}

TEST(DeterministicMath, LogGamma) {
  for (int i = 1; i < 20000; ++i) {
    const double x = i * 0.37;
    EXPECT_LE(error_of(det::lgamma(x), std::lgamma(static_cast<long double>(x))), 1.1) << x;
  }
}

template <typename T>
bool same_bits(T a, T b) {
  using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
  return std::bit_cast<Bits>(a) == std::bit_cast<Bits>(b);
}

TEST(DeterministicMath, NaNIsCanonical) {
  const float payload = std::bit_cast<float>(0xffc12345u);
  const float quiet = std::numeric_limits<float>::quiet_NaN();
  const double quiet_double = std::numeric_limits<double>::quiet_NaN();
  for (const Function& function : kFunctions) {
    EXPECT_TRUE(same_bits(function.in_float(payload), quiet)) << function.name;
    EXPECT_TRUE(same_bits(function.in_double(-quiet_double), quiet_double)) << function.name;
  }
  for (const float y :
       {det::log(-1.0f), det::acos(2.0f), det::asin(-2.0f), det::acosh(0.5f), det::atanh(2.0f),
        det::log1p(-2.0f), det::pow(-8.0f, 1.0f / 3.0f),
        det::sin(std::numeric_limits<float>::infinity()), det::pow(payload, 2.0f)}) {
    EXPECT_TRUE(same_bits(y, quiet)) << y;
  }
}

// Zeros, infinities, the ends of the range: as the C standard's annex F has them.
TEST(DeterministicMath, SpecialValuesAgreeWithTheCLibrary) {
  const float inf = std::numeric_limits<float>::infinity();
  const float tiny = std::numeric_limits<float>::denorm_min();
  const float huge = std::numeric_limits<float>::max();
  for (const Function& function : kFunctions) {
    for (const float x :
         {0.0f, -0.0f, 1.0f, -1.0f, inf, -inf, 200.0f, -200.0f, huge, -huge, tiny, -tiny, 1e-40f}) {
      const double truth = static_cast<double>(function.truth(x));
      const float expected = static_cast<float>(truth);
      const float y = function.in_float(x);
      if (std::isnan(truth)) {
        EXPECT_TRUE(std::isnan(y)) << function.name << "(" << x << ") = " << y;
      } else if (std::isfinite(expected) && std::fabs(expected) > 1e-37f) {
        EXPECT_LE(ulps_between(y, function.truth(x)), 1.51) << function.name << "(" << x << ")";
      } else {
        EXPECT_TRUE(same_bits(y, expected))
            << function.name << "(" << x << ") = " << y << ", expected " << expected;
      }
    }
  }
}

TEST(DeterministicMath, Pow) {
  EXPECT_EQ(det::pow(2.0f, 10.0f), 1024.0f);
  EXPECT_EQ(det::pow(-2.0f, 3.0f), -8.0f);
  EXPECT_EQ(det::pow(9.0, 0.5), 3.0);
  EXPECT_EQ(det::pow(0.0f, 0.0f), 1.0f);
  EXPECT_EQ(det::pow(0.0f, -1.0f), std::numeric_limits<float>::infinity());
  EXPECT_EQ(det::pow(1.0f, std::numeric_limits<float>::quiet_NaN()), 1.0f);
  for (int i = 1; i < 2000; ++i) {
    const float x = static_cast<float>(i) * 0.0137f;
    const float y = static_cast<float>(i % 37) * 0.21f - 3.0f;
    EXPECT_LE(ulps_between(det::pow(x, y),
                           std::pow(static_cast<long double>(x), static_cast<long double>(y))),
              1.01);
  }
}

// Bits that must never change: results of campaigns rest on them.
TEST(DeterministicMath, Signature) {
  std::uint64_t signature = 0;
  for (const Function& function : kFunctions) {
    for (int i = 0; i < 1000; ++i) {
      const float x = (static_cast<float>(i) - 500.0f) * 0.03125f;
      signature =
          signature * 6364136223846793005u + std::bit_cast<std::uint32_t>(function.in_float(x));
      signature =
          signature * 6364136223846793005u + std::bit_cast<std::uint64_t>(function.in_double(x));
    }
  }
  EXPECT_EQ(signature, 10328681845238260303u);
}

}  // namespace
}  // namespace flipscope
