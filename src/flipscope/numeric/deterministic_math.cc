// Forwards to SLEEF's deterministic functions, makes NaN canonical, and mends the ends of the
// range.
#include "flipscope/numeric/deterministic_math.h"

#include <sleef.h>

#include <cmath>
#include <limits>
#include <numbers>

namespace flipscope::det {
namespace {

template <typename T>
T canonical(T y) {
  return std::isnan(y) ? std::numeric_limits<T>::quiet_NaN() : y;
}

}  // namespace

#define FLIPSCOPE_UNARY(name, error_bound)                           \
  float name(float x) {                                              \
    return canonical(Sleef_cinz_##name##f1_##error_bound##purec(x)); \
  }                                                                  \
  double name(double x) {                                            \
    return canonical(Sleef_cinz_##name##d1_##error_bound##purec(x)); \
  }

FLIPSCOPE_UNARY(exp, u10)
FLIPSCOPE_UNARY(exp2, u10)
FLIPSCOPE_UNARY(expm1, u10)
FLIPSCOPE_UNARY(log, u10)
FLIPSCOPE_UNARY(log2, u10)
FLIPSCOPE_UNARY(sin, u10)
FLIPSCOPE_UNARY(cos, u10)
FLIPSCOPE_UNARY(tan, u10)
FLIPSCOPE_UNARY(asin, u10)
FLIPSCOPE_UNARY(acos, u10)
FLIPSCOPE_UNARY(atan, u10)
FLIPSCOPE_UNARY(tanh, u10)
FLIPSCOPE_UNARY(atanh, u10)
FLIPSCOPE_UNARY(erf, u10)
FLIPSCOPE_UNARY(erfc, u15)
FLIPSCOPE_UNARY(cbrt, u10)

#undef FLIPSCOPE_UNARY

// SLEEF's log1p, sinh, cosh, asinh and acosh overflow long before their results do, and lose
// denormals; these take over there, and the float versions go through double.

double log1p(double x) {
  if (std::fabs(x) < 0x1p-54) return x;
  if (x > 1e300) return log(x);
  return canonical(Sleef_cinz_log1pd1_u10purec(x));
}

double sinh(double x) {
  if (std::fabs(x) <= 709) return Sleef_cinz_sinhd1_u10purec(x);
  const double root = exp(std::fabs(x) / 2);
  return canonical(std::copysign(0.5 * root * root, x));
}

double cosh(double x) {
  if (std::fabs(x) <= 709) return Sleef_cinz_coshd1_u10purec(x);
  const double root = exp(std::fabs(x) / 2);
  return canonical(0.5 * root * root);
}

double asinh(double x) {
  if (std::fabs(x) < 0x1p-30) return x;
  if (std::fabs(x) > 1e150) return std::copysign(log(std::fabs(x)) + std::numbers::ln2, x);
  return canonical(Sleef_cinz_asinhd1_u10purec(x));
}

double acosh(double x) {
  if (x > 1e150) return log(x) + std::numbers::ln2;
  return canonical(Sleef_cinz_acoshd1_u10purec(x));
}

#define FLIPSCOPE_THROUGH_DOUBLE(name)                                  \
  float name(float x) {                                                 \
    return canonical(static_cast<float>(name(static_cast<double>(x)))); \
  }

FLIPSCOPE_THROUGH_DOUBLE(log1p)
FLIPSCOPE_THROUGH_DOUBLE(sinh)
FLIPSCOPE_THROUGH_DOUBLE(cosh)
FLIPSCOPE_THROUGH_DOUBLE(asinh)
FLIPSCOPE_THROUGH_DOUBLE(acosh)

#undef FLIPSCOPE_THROUGH_DOUBLE

double lgamma(double x) {
  return canonical(Sleef_cinz_lgammad1_u10purec(x));
}

float pow(float x, float y) {
  return canonical(Sleef_cinz_powf1_u10purec(x, y));
}
double pow(double x, double y) {
  return canonical(Sleef_cinz_powd1_u10purec(x, y));
}

}  // namespace flipscope::det
