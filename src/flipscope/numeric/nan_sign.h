// NaN in text: `nan`, whatever its sign, which means nothing and which machines do not agree on.
#pragma once

#include <cmath>
#include <limits>

namespace flipscope {

/// NaN that prints without a sign; other numbers as they are.
inline double without_nan_sign(double value) {
  return std::isnan(value) ? std::numeric_limits<double>::quiet_NaN() : value;
}

}  // namespace flipscope
