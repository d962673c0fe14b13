// How sums of lanes become one, on every instruction set alike.
#pragma once

namespace flipscope {

/// Lanes that are folded at a time.
inline constexpr int kFold = 16;

/// Σ sums[0 … kFold − 1], by halves; overwrites them.
inline double folded(double* sums) {
  for (int half = kFold / 2; half > 0; half /= 2) {
    for (int j = 0; j < half; ++j) sums[j] += sums[j + half];
  }
  return sums[0];
}

}  // namespace flipscope
