// The sum at the heart of every affine operator: some rows (output channels) at one position.
#pragma once

#include <cstdint>
#include <vector>

#include "flipscope/ops/op.h"

namespace flipscope {

/// The terms of a sum, in canonical order: which element of x meets which weight of the row.
struct Taps {
  std::vector<std::int32_t> element;
  std::vector<std::int32_t> weight;

  void clear() {
    element.clear();
    weight.clear();
  }
  void add(std::int64_t e, std::int64_t w) {
    element.push_back(static_cast<std::int32_t>(e));
    weight.push_back(static_cast<std::int32_t>(w));
  }
};

/// Rows r = 0 … rows−1: out[r·out_step + lane] = bias[bias_first + r]
/// + Σ w[w_first + r·row_step + taps.weight]·x[x_first + taps.element], in the carrier and with the
/// rescale of `accumulation` (whose entry for row r is channel + r).
template <typename T>
struct Dot {
  View<T> x;
  std::int64_t x_first = 0;
  View<T> w;
  std::int64_t w_first = 0;
  std::int64_t row_step = 0;
  const Taps* taps = nullptr;
  View<T> bias;  ///< a null shape: none
  std::int64_t bias_first = 0;
  std::int64_t bias_step = 1;
  const T* start = nullptr;  ///< if not null, the sums start from start[r·out_step + lane]
  std::int64_t rows = 0;
  T* out = nullptr;
  std::int64_t out_step = 0;
  std::int64_t channel = 0;
  const Accumulation* accumulation = nullptr;
  int lanes = 0;
};

template <typename T>
void dot(const Dot<T>& d);

/// out = Σₖ |sₖ| over the partial sums sₖ of each row, term by term behind the bias, in float32 and
/// without fused products: near what dot() passes through. Of constant w and bias, and an x that is
/// not; no rescale.
void dot_partial_sums(const Dot<float>& d);

/// How the operator sums, or null where it is not affine.
const Accumulation* accumulation(const Op& op);

/// True where the sums of codes are exact in float32, so that differences may be added to them.
bool adds_exactly(const Op& op);

/// out[i] = float32(double(sums[i])·factor).
void rescale_row(double factor, const float* sums, std::int64_t count, float* out);

}  // namespace flipscope
