// The hot loops over numbers, for every instruction set.
//
// Samples lie in the lanes, so a weight is broadcast and an activation is loaded: one fused
// multiply-add per 16 samples (AVX-512) with no shuffles and no reduction. Registers hold a block
// of 6 rows × lanes; per tap the block needs a sixth as many loads of activations as multiply-adds,
// so the loop is bound by the multipliers. Every lane sees the same sequence of operations on every
// instruction set.
#pragma once

#include <cstdint>

namespace flipscope {

/// Some rows (output channels) of an affine operator at one output position: for every row r and
/// lane l, out[r·out_step + l] = bias[r] + Σₜ weights[r·row_step + weight[t]]·x[element[t]·lanes +
/// l], one fused multiply-add per tap, in the order of t. T is float or double.
template <typename T>
struct DotRows {
  const T* x = nullptr;
  const std::int32_t* element = nullptr;  ///< [taps]
  const T* weights = nullptr;
  const std::int32_t* weight = nullptr;  ///< [taps]
  std::int64_t row_step = 0;
  std::int64_t taps = 0;
  const T* bias = nullptr;   ///< [rows], or null: 0
  const T* start = nullptr;  ///< if not null, sums start from start[r·out_step + l]
  std::int64_t rows = 0;
  T* out = nullptr;
  std::int64_t out_step = 0;
  int lanes = 0;  ///< a multiple of kLaneGroup
};

void dot_rows(const DotRows<float>& dot);
void dot_rows(const DotRows<double>& dot);

/// The same in plain loops of std::fma: what dot_rows() must equal bit for bit.
void dot_rows_portable(const DotRows<float>& dot);
void dot_rows_portable(const DotRows<double>& dot);

/// Centered codes of `count` numbers under a saturating integer format with one scale, rounding
/// half to even: round_first ? clamp(round(x/scale) + zero) − zero : round(clamp(x/scale + zero)) −
/// zero. NaN stays NaN; a code of 0 is +0.
struct QuantizeRow {
  const float* x = nullptr;
  float* out = nullptr;
  std::int64_t count = 0;  ///< a multiple of kLaneGroup
  float scale = 1, zero = 0, lowest = 0, highest = 0;
  bool round_first = true;
};

void quantize_row(const QuantizeRow& row);
void quantize_row_portable(const QuantizeRow& row);

/// out[l] = row[picked[l]] for l < lanes, a multiple of kLaneGroup.
void pick_lanes(const float* row, const std::int32_t* picked, int lanes, float* out);

/// Name of the instruction set that dot_rows() runs on: "AVX3", "AVX2", "portable".
const char* instruction_set();

/// One thread's peak of float32 fused multiply-adds, measured: FLOP/s (two per multiply-add).
double measure_peak_flops();

}  // namespace flipscope
