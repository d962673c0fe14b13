// The inner loop of derivatives with respect to weights: products of two sets of rows, summed over
// places and lanes, in double.
#pragma once

#include <cstdint>
#include <span>

namespace flipscope {

/// Rows of numbers, each place of which has a number in every lane: row r at place n begins at
/// data[(at[n] + r·step)·lanes].
struct LaneRows {
  const double* data = nullptr;
  std::span<const std::int64_t> at;
  std::int64_t step = 0;
  std::int64_t count = 0;
};

/// to[r·row_step + c·column_step] += Σ_n Σ_lane rows[r][n][lane]·columns[c][n][lane]. Each lane is
/// summed along n by fused multiply-adds, then the lanes by halves, 16 at a time: the bits are the
/// same on every instruction set. `lanes` is a multiple of kLaneGroup.
struct OuterProducts {
  LaneRows rows;
  LaneRows columns;
  int lanes = 0;
  double* to = nullptr;
  std::int64_t row_step = 0;
  std::int64_t column_step = 0;
};

void add_outer_products(const OuterProducts& products);

/// The same in plain loops of std::fma: what add_outer_products() must equal bit for bit.
void add_outer_products_portable(const OuterProducts& products);

}  // namespace flipscope
