// Jacobians of fixed linear maps: movements of values, and sparse sums.
#include <algorithm>

#include "flipscope/ops/jacobian.h"

namespace flipscope {

template <typename T>
void entries(const Rearrange& op, const Point<T>& at, Jacobian<T>& jacobian) {
  std::vector<std::int64_t> ends;
  for (const View<T>& input : at.inputs) {
    ends.push_back((ends.empty() ? 0 : ends.back()) + element_count(*input.shape));
  }
  for (std::size_t o = 0; o < op.source.size(); ++o) {
    const std::int64_t from = op.source[o];
    if (from < 0) continue;
    const auto input =
        static_cast<std::size_t>(std::upper_bound(ends.begin(), ends.end(), from) - ends.begin());
    if (!jacobian.wants(input)) continue;
    jacobian.entry(static_cast<std::int64_t>(o), input, from - (input == 0 ? 0 : ends[input - 1]),
                   T(1));
  }
}

template <typename T>
void entries(const SparseLinear& op, const Point<T>&, Jacobian<T>& jacobian) {
  if (!jacobian.wants(0)) return;
  for (std::size_t o = 0; o + 1 < op.begin.size(); ++o) {
    for (std::int64_t t = op.begin[o]; t < op.begin[o + 1]; ++t) {
      jacobian.entry(static_cast<std::int64_t>(o), 0, op.source[t],
                     T(static_cast<double>(op.weight[t])));
    }
  }
}

template <typename T>
void entries(const ArgReduce&, const Point<T>&, Jacobian<T>&) {
  // An index does not change with small changes of the values.
}

#define FLIPSCOPE_INSTANTIATE(Op)                                            \
  template void entries(const Op&, const Point<double>&, Jacobian<double>&); \
  template void entries(const Op&, const Point<Dual>&, Jacobian<Dual>&);
FLIPSCOPE_INSTANTIATE(Rearrange)
FLIPSCOPE_INSTANTIATE(SparseLinear)
FLIPSCOPE_INSTANTIATE(ArgReduce)
#undef FLIPSCOPE_INSTANTIATE

}  // namespace flipscope
