#include "flipscope/ops/outer_products.h"

#include <cmath>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "flipscope/ops/outer_products.cc"
#include <hwy/foreach_target.h>
// foreach_target.h must come first.
#include <hwy/highway.h>

#include "flipscope/ops/lane_fold.h"

HWY_BEFORE_NAMESPACE();
namespace flipscope::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Without a fused multiply-add in hardware only the portable loop is right.
#if !HWY_NATIVE_FMA

void add_outer_products_here(const OuterProducts& products) {
  add_outer_products_portable(products);
}

#else

using Doubles = hn::CappedTag<double, 8>;

// Sums of Rows × Columns products stay in registers: 16 of 32 (AVX-512), or 8 of 16.
constexpr int kRows = HWY_TARGET == HWY_AVX2 ? 2 : 4;
constexpr int kColumns = 4;

/// Sums of a tile in kFold lanes from `lane` on: [row][column][lane].
template <int Rows, int Columns>
void sum_tile(const OuterProducts& p, std::int64_t row, std::int64_t column, int lane,
              double* sums) {
  const Doubles d;
  const int width = static_cast<int>(hn::Lanes(d));
  for (int part = 0; part < kFold; part += width) {
    const double* rows = p.rows.data + row * p.rows.step * p.lanes + lane + part;
    const double* columns = p.columns.data + column * p.columns.step * p.lanes + lane + part;
    hn::Vec<Doubles> sum[Rows][Columns];
    HWY_UNROLL(4)
    for (int r = 0; r < Rows; ++r) {
      HWY_UNROLL(4)
      for (int c = 0; c < Columns; ++c) sum[r][c] = hn::Zero(d);
    }
    for (std::size_t n = 0; n < p.rows.at.size(); ++n) {
      const double* a = rows + p.rows.at[n] * p.lanes;
      const double* b = columns + p.columns.at[n] * p.lanes;
      hn::Vec<Doubles> in[Columns];
      HWY_UNROLL(4)
      for (int c = 0; c < Columns; ++c) in[c] = hn::LoadU(d, b + c * p.columns.step * p.lanes);
      HWY_UNROLL(4)
      for (int r = 0; r < Rows; ++r) {
        const hn::Vec<Doubles> own = hn::LoadU(d, a + r * p.rows.step * p.lanes);
        HWY_UNROLL(4)
        for (int c = 0; c < Columns; ++c) sum[r][c] = hn::MulAdd(own, in[c], sum[r][c]);
      }
    }
    HWY_UNROLL(4)
    for (int r = 0; r < Rows; ++r) {
      HWY_UNROLL(4)
      for (int c = 0; c < Columns; ++c) {
        hn::StoreU(sum[r][c], d, sums + (r * Columns + c) * kFold + part);
      }
    }
  }
}

template <int Rows, int Columns>
void add_tile(const OuterProducts& p, std::int64_t row, std::int64_t column) {
  HWY_ALIGN double sums[Rows * Columns * kFold];
  for (int lane = 0; lane < p.lanes; lane += kFold) {
    sum_tile<Rows, Columns>(p, row, column, lane, sums);
    for (int r = 0; r < Rows; ++r) {
      for (int c = 0; c < Columns; ++c) {
        p.to[(row + r) * p.row_step + (column + c) * p.column_step] +=
            folded(sums + (r * Columns + c) * kFold);
      }
    }
  }
}

template <int Rows>
void add_row(const OuterProducts& p, std::int64_t row) {
  std::int64_t column = 0;
  for (; column + kColumns <= p.columns.count; column += kColumns) {
    add_tile<Rows, kColumns>(p, row, column);
  }
  for (; column < p.columns.count; ++column) add_tile<Rows, 1>(p, row, column);
}

void add_outer_products_here(const OuterProducts& p) {
  std::int64_t row = 0;
  for (; row + kRows <= p.rows.count; row += kRows) add_row<kRows>(p, row);
  for (; row < p.rows.count; ++row) add_row<1>(p, row);
}

#endif

}  // namespace flipscope::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace flipscope {

HWY_EXPORT(add_outer_products_here);

void add_outer_products(const OuterProducts& products) {
  HWY_DYNAMIC_DISPATCH(add_outer_products_here)(products);
}

void add_outer_products_portable(const OuterProducts& p) {
  for (std::int64_t r = 0; r < p.rows.count; ++r) {
    for (std::int64_t c = 0; c < p.columns.count; ++c) {
      for (int first = 0; first < p.lanes; first += kFold) {
        double sums[kFold] = {};
        for (std::size_t n = 0; n < p.rows.at.size(); ++n) {
          const double* a = p.rows.data + (p.rows.at[n] + r * p.rows.step) * p.lanes + first;
          const double* b =
              p.columns.data + (p.columns.at[n] + c * p.columns.step) * p.lanes + first;
          for (int l = 0; l < kFold; ++l) sums[l] = std::fma(a[l], b[l], sums[l]);
        }
        p.to[r * p.row_step + c * p.column_step] += folded(sums);
      }
    }
  }
}

}  // namespace flipscope
#endif
