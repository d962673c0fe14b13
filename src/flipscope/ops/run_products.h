// The inner loop of derivatives of weighted sums: products along a run of terms, in double.
#pragma once

#include <cstdint>

namespace flipscope {

/// Numbers that a run steps through: at[i·step], one for every lane where `lanes`, else one for
/// all.
template <typename T>
struct Walk {
  T* at = nullptr;
  std::int64_t step = 0;
  bool lanes = false;
};

/// to += a·b for terms i = 0 … count−1 in this order, lane by lane. Where `to` is one number, the
/// lanes' products are summed: each lane along the run in four sums (i mod 4), these as (0 + 1) +
/// (2 + 3), and then the lanes by halves, 16 at a time. Nothing is fused: the bits are the same on
/// every instruction set. `to` must not overlap a or b, and steps by a whole element or not at all.
void add_products(std::int64_t count, Walk<const double> a, Walk<const double> b, Walk<double> to,
                  int lanes);

}  // namespace flipscope
