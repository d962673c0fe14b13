#include "flipscope/ops/column_sums.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "flipscope/ops/column_sums.cc"
#include <hwy/foreach_target.h>
// foreach_target.h must come first.
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace flipscope::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

void column_sums_here(const float* matrix, std::int64_t rows, std::int64_t columns,
                      const float* weight, float* sums) {
  const hn::CappedTag<float, kColumnGroup / 4> d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  for (std::int64_t c = 0; c < columns; c += 4 * lanes) {
    auto a = hn::Zero(d), b = a, e = a, f = a;
    for (std::int64_t r = 0; r < rows; ++r) {
      const auto w = hn::Set(d, weight[r]);
      const float* const row = matrix + r * columns + c;
      a = hn::MulAdd(w, hn::LoadU(d, row), a);
      b = hn::MulAdd(w, hn::LoadU(d, row + lanes), b);
      e = hn::MulAdd(w, hn::LoadU(d, row + 2 * lanes), e);
      f = hn::MulAdd(w, hn::LoadU(d, row + 3 * lanes), f);
    }
    hn::StoreU(a, d, sums + c);
    hn::StoreU(b, d, sums + c + lanes);
    hn::StoreU(e, d, sums + c + 2 * lanes);
    hn::StoreU(f, d, sums + c + 3 * lanes);
  }
}

}  // namespace flipscope::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace flipscope {

HWY_EXPORT(column_sums_here);

void column_sums(const float* matrix, std::int64_t rows, std::int64_t columns, const float* weight,
                 float* sums) {
  HWY_DYNAMIC_DISPATCH(column_sums_here)(matrix, rows, columns, weight, sums);
}

}  // namespace flipscope
#endif
