#include "flipscope/ops/run_products.h"

#include <algorithm>
#include <array>
#include <type_traits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "flipscope/ops/run_products.cc"
#include <hwy/foreach_target.h>
// foreach_target.h must come first.
#include <hwy/highway.h>

#include "flipscope/ops/lane_fold.h"

HWY_BEFORE_NAMESPACE();
namespace flipscope::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using Wide = hn::CappedTag<double, kFold>;
using One = hn::CappedTag<double, 1>;

/// A walk's numbers in some lanes, term after term.
template <class D>
struct Steps {
  const double* at;
  std::int64_t step;

  Steps(const Walk<const double>& walk, int lane)
      : at(walk.at + (walk.lanes ? lane : 0)), step(walk.step) {}
};
template <class D>
struct Lanes : Steps<D> {
  using Steps<D>::Steps;
  HWY_INLINE auto next() {
    const auto v = hn::LoadU(D(), this->at);
    this->at += this->step;
    return v;
  }
};
template <class D>
struct Shared : Steps<D> {
  using Steps<D>::Steps;
  HWY_INLINE auto next() {
    const auto v = hn::Set(D(), *this->at);
    this->at += this->step;
    return v;
  }
};

/// to += a·b, in as many lanes as D has.
template <class D, class A, class B>
void add_lanes(std::int64_t count, A a, B b, double* to, std::int64_t step) {
  const D d;
  if (step == 0) {
    auto sum = hn::LoadU(d, to);
    for (std::int64_t i = 0; i < count; ++i) sum = hn::Add(sum, hn::Mul(a.next(), b.next()));
    hn::StoreU(sum, d, to);
    return;
  }
  if (std::is_same_v<A, Shared<D>> && a.step == 0) {
    const auto factor = a.next();
    for (std::int64_t i = 0; i < count; ++i, to += step) {
      hn::StoreU(hn::Add(hn::LoadU(d, to), hn::Mul(factor, b.next())), d, to);
    }
    return;
  }
  for (std::int64_t i = 0; i < count; ++i, to += step) {
    hn::StoreU(hn::Add(hn::LoadU(d, to), hn::Mul(a.next(), b.next())), d, to);
  }
}

/// Each lane's products summed along the run.
template <class D, class A, class B>
void sum_lanes(std::int64_t count, A a, B b, double* sums) {
  const D d;
  auto s0 = hn::Zero(d), s1 = s0, s2 = s0, s3 = s0;
  std::int64_t i = 0;
  for (; i + 4 <= count; i += 4) {
    s0 = hn::Add(s0, hn::Mul(a.next(), b.next()));
    s1 = hn::Add(s1, hn::Mul(a.next(), b.next()));
    s2 = hn::Add(s2, hn::Mul(a.next(), b.next()));
    s3 = hn::Add(s3, hn::Mul(a.next(), b.next()));
  }
  if (i < count) s0 = hn::Add(s0, hn::Mul(a.next(), b.next()));
  if (i + 1 < count) s1 = hn::Add(s1, hn::Mul(a.next(), b.next()));
  if (i + 2 < count) s2 = hn::Add(s2, hn::Mul(a.next(), b.next()));
  hn::StoreU(hn::Add(hn::Add(s0, s1), hn::Add(s2, s3)), d, sums);
}

/// Calls f(D, lane) on groups of lanes from 0 to `lanes`.
template <typename F>
void for_each_group(int lanes, F f) {
  const auto width = static_cast<int>(hn::Lanes(Wide()));
  int lane = 0;
  for (; lane + width <= lanes; lane += width) f(Wide(), lane);
  for (; lane < lanes; ++lane) f(One(), lane);
}

/// The sum over the run and all lanes; A and B as in add_all().
template <template <class> class A, template <class> class B>
double sum_all(std::int64_t count, const Walk<const double>& a, const Walk<const double>& b,
               int lanes) {
  double total = 0;
  for (int first = 0; first < lanes; first += kFold) {
    std::array<double, kFold> sums{};
    for_each_group(std::min(kFold, lanes - first), [&](auto d, int lane) {
      using D = decltype(d);
      sum_lanes<D>(count, A<D>(a, first + lane), B<D>(b, first + lane), sums.data() + lane);
    });
    total += folded(sums.data());
  }
  return total;
}

/// A and B say whether lanes have a number each or share one.
template <template <class> class A, template <class> class B>
void add_all(std::int64_t count, const Walk<const double>& a, const Walk<const double>& b,
             const Walk<double>& to, int lanes) {
  if (to.lanes) {
    for_each_group(lanes, [&](auto d, int lane) {
      using D = decltype(d);
      add_lanes<D>(count, A<D>(a, lane), B<D>(b, lane), to.at + lane, to.step);
    });
  } else if (to.step == 0) {
    *to.at += sum_all<A, B>(count, a, b, lanes);
  } else {
    for (std::int64_t i = 0; i < count; ++i) {
      to.at[i * to.step] +=
          sum_all<A, B>(1, {a.at + i * a.step, 0, a.lanes}, {b.at + i * b.step, 0, b.lanes}, lanes);
    }
  }
}

void add_products_here(std::int64_t count, Walk<const double> a, Walk<const double> b,
                       Walk<double> to, int lanes) {
  if (a.lanes && b.lanes) {
    add_all<Lanes, Lanes>(count, a, b, to, lanes);
  } else if (a.lanes) {
    add_all<Shared, Lanes>(count, b, a, to, lanes);
  } else if (b.lanes) {
    add_all<Shared, Lanes>(count, a, b, to, lanes);
  } else {
    add_all<Shared, Shared>(count, a, b, to, lanes);
  }
}

}  // namespace flipscope::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace flipscope {

HWY_EXPORT(add_products_here);

void add_products(std::int64_t count, Walk<const double> a, Walk<const double> b, Walk<double> to,
                  int lanes) {
  HWY_DYNAMIC_DISPATCH(add_products_here)(count, a, b, to, lanes);
}

}  // namespace flipscope
#endif
