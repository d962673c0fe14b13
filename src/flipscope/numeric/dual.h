// Dual numbers: a value and its derivative in one direction. Arithmetic on them is forward-mode
// differentiation, and a backward pass run on them gives Hessian-vector products (Pearlmutter,
// "Fast exact multiplication by the Hessian", Neural Computation 6, 1994).
#pragma once

#include <cmath>
#include <numbers>

#include "flipscope/numeric/deterministic_math.h"

namespace flipscope {

/// value + tangent·ε with ε² = 0. Comparisons look at the value alone.
struct Dual {
  double value = 0;
  double tangent = 0;

  constexpr Dual() = default;
  constexpr Dual(double v, double t = 0) : value(v), tangent(t) {}

  Dual& operator+=(Dual b) {
    value += b.value;
    tangent += b.tangent;
    return *this;
  }

  friend constexpr Dual operator-(Dual a) { return {-a.value, -a.tangent}; }
  friend constexpr Dual operator+(Dual a, Dual b) {
    return {a.value + b.value, a.tangent + b.tangent};
  }
  friend constexpr Dual operator-(Dual a, Dual b) {
    return {a.value - b.value, a.tangent - b.tangent};
  }
  friend constexpr Dual operator*(Dual a, Dual b) {
    return {a.value * b.value, a.value * b.tangent + a.tangent * b.value};
  }
  friend constexpr Dual operator*(double a, Dual b) { return {a * b.value, a * b.tangent}; }
  friend constexpr Dual operator/(Dual a, Dual b) {
    const double ratio = a.value / b.value;
    return {ratio, (a.tangent - ratio * b.tangent) / b.value};
  }
  friend constexpr bool operator==(Dual a, Dual b) { return a.value == b.value; }
  friend constexpr auto operator<=>(Dual a, Dual b) { return a.value <=> b.value; }
};

/// Elementary functions of plain and dual numbers, by one set of names.
namespace smooth {

inline double value(double x) {
  return x;
}
inline double value(Dual x) {
  return x.value;
}
inline double tangent(double) {
  return 0;
}
inline double tangent(Dual x) {
  return x.tangent;
}

inline double exp(double x) {
  return det::exp(x);
}
inline double log(double x) {
  return det::log(x);
}
inline double sqrt(double x) {
  return std::sqrt(x);
}
inline double sin(double x) {
  return det::sin(x);
}
inline double cos(double x) {
  return det::cos(x);
}
inline double tan(double x) {
  return det::tan(x);
}
inline double tanh(double x) {
  return det::tanh(x);
}
inline double sinh(double x) {
  return det::sinh(x);
}
inline double cosh(double x) {
  return det::cosh(x);
}
inline double erf(double x) {
  return det::erf(x);
}
/// x^p for a fixed p.
inline double power(double x, double p) {
  return det::pow(x, p);
}
/// log(1 + e^x) without overflow.
inline double softplus(double x) {
  return (x < 0 ? 0 : x) + det::log1p(det::exp(-std::fabs(x)));
}

inline Dual exp(Dual x) {
  const double e = exp(x.value);
  return {e, e * x.tangent};
}
inline Dual log(Dual x) {
  return {log(x.value), x.tangent / x.value};
}
inline Dual sqrt(Dual x) {
  const double root = sqrt(x.value);
  return {root, x.tangent / (2 * root)};
}
inline Dual sin(Dual x) {
  return {sin(x.value), cos(x.value) * x.tangent};
}
inline Dual cos(Dual x) {
  return {cos(x.value), -sin(x.value) * x.tangent};
}
inline Dual tan(Dual x) {
  const double t = tan(x.value);
  return {t, (1 + t * t) * x.tangent};
}
inline Dual tanh(Dual x) {
  const double t = tanh(x.value);
  return {t, (1 - t * t) * x.tangent};
}
inline Dual sinh(Dual x) {
  return {sinh(x.value), cosh(x.value) * x.tangent};
}
inline Dual cosh(Dual x) {
  return {cosh(x.value), sinh(x.value) * x.tangent};
}
inline Dual erf(Dual x) {
  constexpr double factor = 2 * std::numbers::inv_sqrtpi;
  return {erf(x.value), factor * exp(-x.value * x.value) * x.tangent};
}
inline Dual power(Dual x, double p) {
  return {power(x.value, p), p == 0 ? 0.0 : p * power(x.value, p - 1) * x.tangent};
}
inline Dual softplus(Dual x) {
  return {softplus(x.value), x.tangent / (1 + exp(-x.value))};
}

}  // namespace smooth

}  // namespace flipscope
