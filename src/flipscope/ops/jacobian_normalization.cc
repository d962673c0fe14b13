// Jacobians of normalization.
#include <algorithm>

#include "flipscope/ops/index.h"
#include "flipscope/ops/jacobian.h"
#include "flipscope/ops/rows.h"

namespace flipscope {

// y = (x − m)·f + b with f = s/√(v + ε): ∂y/∂x = f, ∂y/∂s = (x − m)/√(v + ε), ∂y/∂b = 1, ∂y/∂m =
// −f, ∂y/∂v = −(x − m)·f/(2(v + ε)).
template <typename T>
void entries(const BatchNormalization& op, const Point<T>& at, Jacobian<T>& jacobian) {
  const AxisSplit split = split_at(*at.inputs[0].shape, 1);
  const int lanes = at.lanes;
  Rows<T> xs(at.inputs[0], lanes), scales(at.inputs[1], lanes), means(at.inputs[3], lanes),
      variances(at.inputs[4], lanes);
  std::vector<T> factor(lanes), minus(lanes), standardized(lanes), by_variance(lanes);
  for (std::int64_t e = 0; e < split.outer * split.length * split.inner; ++e) {
    const std::int64_t c = e / split.inner % split.length;
    const T* x = xs[e];
    const T* s = scales[c];
    const T* m = means[c];
    const T* v = variances[c];
    for (int l = 0; l < lanes; ++l) {
      const T spread = v[l] + op.epsilon;
      const T deviation = smooth::sqrt(spread);
      factor[l] = s[l] / deviation;
      minus[l] = -factor[l];
      standardized[l] = (x[l] - m[l]) / deviation;
      by_variance[l] = -(x[l] - m[l]) * factor[l] / (2 * spread);
    }
    if (jacobian.wants(0)) jacobian.entry(e, 0, e, factor.data());
    if (jacobian.wants(1)) jacobian.entry(e, 1, c, standardized.data());
    if (jacobian.wants(2)) jacobian.entry(e, 2, c, T(1));
    if (jacobian.wants(3)) jacobian.entry(e, 3, c, minus.data());
    if (jacobian.wants(4)) jacobian.entry(e, 4, c, by_variance.data());
  }
}

// With n elements, d = √(variance + ε): ∂y_i/∂x_j = (δ_ij − 1/n − y_i·y_j/n)/d.
template <typename T>
void entries(const Standardize& op, const Point<T>& at, Jacobian<T>& jacobian) {
  if (!jacobian.wants(0)) return;
  const Shape& in = *at.inputs[0].shape;
  const std::vector<std::int64_t> bases = offsets_over(in, other_axes(in, op.axes));
  const std::vector<std::int64_t> offsets = offsets_over(in, op.axes);
  const int lanes = at.lanes;
  const double share = 1.0 / static_cast<double>(offsets.size());
  Rows<T> rows(at.inputs[0], lanes);
  std::vector<T> mean(lanes), deviation(lanes), row(lanes);
  for (const std::int64_t base : bases) {
    std::fill(mean.begin(), mean.end(), T(0));
    std::fill(deviation.begin(), deviation.end(), T(0));
    for (const std::int64_t offset : offsets) {
      const T* x = rows[base + offset];
      for (int l = 0; l < lanes; ++l) mean[l] += share * x[l];
    }
    for (const std::int64_t offset : offsets) {
      const T* x = rows[base + offset];
      for (int l = 0; l < lanes; ++l) {
        deviation[l] += share * ((x[l] - mean[l]) * (x[l] - mean[l]));
      }
    }
    for (T& d : deviation) d = smooth::sqrt(d + op.epsilon);
    for (const std::int64_t i : offsets) {
      const T* y = at.output + (base + i) * lanes;
      for (const std::int64_t j : offsets) {
        const T* z = at.output + (base + j) * lanes;
        const double same = i == j ? 1 : 0;
        for (int l = 0; l < lanes; ++l) {
          row[l] = (same - share - share * (y[l] * z[l])) / deviation[l];
        }
        jacobian.entry(base + i, 0, base + j, row.data());
      }
    }
  }
}

// y_i = x_i·D_i^−β with D_i = bias + (α/size)·Σx_j²:
// ∂y_i/∂x_j = δ_ij·D_i^−β − 2αβ/size·x_i·x_j·D_i^(−β−1).
template <typename T>
void entries(const LocalResponse& op, const Point<T>& at, Jacobian<T>& jacobian) {
  if (!jacobian.wants(0)) return;
  const AxisSplit split = split_at(*at.inputs[0].shape, 1);
  const int lanes = at.lanes;
  const double alpha = op.alpha / static_cast<double>(op.size);
  Rows<T> rows(at.inputs[0], lanes), others(at.inputs[0], lanes);
  std::vector<T> spread(lanes), row(lanes);
  for (std::int64_t i = 0; i < split.outer * split.length * split.inner; ++i) {
    const std::int64_t channel = i / split.inner % split.length;
    const std::int64_t first = std::max<std::int64_t>(0, channel - (op.size - 1) / 2);
    const std::int64_t last = std::min(split.length - 1, channel + op.size / 2);
    std::fill(spread.begin(), spread.end(), T(op.bias));
    for (std::int64_t c = first; c <= last; ++c) {
      const T* z = others[i + (c - channel) * split.inner];
      for (int l = 0; l < lanes; ++l) spread[l] += alpha * (z[l] * z[l]);
    }
    const T* x = rows[i];
    for (std::int64_t c = first; c <= last; ++c) {
      const std::int64_t e = i + (c - channel) * split.inner;
      const T* z = others[e];
      const double same = e == i ? 1 : 0;
      for (int l = 0; l < lanes; ++l) {
        row[l] = same * smooth::power(spread[l], -op.beta) -
                 2 * alpha * op.beta * (x[l] * z[l]) * smooth::power(spread[l], -op.beta - 1);
      }
      jacobian.entry(i, 0, e, row.data());
    }
  }
}

#define FLIPSCOPE_INSTANTIATE(Op)                                            \
  template void entries(const Op&, const Point<double>&, Jacobian<double>&); \
  template void entries(const Op&, const Point<Dual>&, Jacobian<Dual>&);
FLIPSCOPE_INSTANTIATE(BatchNormalization)
FLIPSCOPE_INSTANTIATE(Standardize)
FLIPSCOPE_INSTANTIATE(LocalResponse)
#undef FLIPSCOPE_INSTANTIATE

}  // namespace flipscope
