#include "flipscope/ops/least_sum.h"

#include <algorithm>
#include <limits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "flipscope/ops/least_sum.cc"
#include <hwy/foreach_target.h>
// foreach_target.h must come first.
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace flipscope::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

double least_sum_here(const double* a, const double* b, std::int64_t count) {
  double least = std::numeric_limits<double>::infinity();
  std::int64_t i = 0;
#if HWY_TARGET != HWY_SCALAR
  const hn::ScalableTag<double> d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  auto even = hn::Set(d, least), odd = even;
  for (; i + 2 * lanes <= count; i += 2 * lanes) {
    even = hn::Min(even, hn::Add(hn::LoadU(d, a + i), hn::LoadU(d, b + i)));
    odd = hn::Min(odd, hn::Add(hn::LoadU(d, a + i + lanes), hn::LoadU(d, b + i + lanes)));
  }
  least = hn::GetLane(hn::MinOfLanes(d, hn::Min(even, odd)));
#endif
  for (; i < count; ++i) least = std::min(least, a[i] + b[i]);
  return least;
}

}  // namespace flipscope::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace flipscope {

HWY_EXPORT(least_sum_here);

double least_sum(const double* a, const double* b, std::int64_t count) {
  return HWY_DYNAMIC_DISPATCH(least_sum_here)(a, b, count);
}

}  // namespace flipscope
#endif
