// Jacobians of operators that bring several elements together: pooling, reduction, softmax.
#include "flipscope/ops/index.h"
#include "flipscope/ops/jacobian.h"
#include "flipscope/ops/pooling.h"
#include "flipscope/ops/rows.h"

namespace flipscope {
namespace {

using smooth::value;

template <typename T>
T sign(T x) {
  return x > 0 ? 1 : x < 0 ? -1 : 0;
}

/// Marks, in each lane, the first of several elements that equals the extreme.
template <typename T>
class First {
 public:
  explicit First(int lanes) : found_(lanes), row_(lanes) {}

  void start() { std::fill(found_.begin(), found_.end(), char{0}); }
  /// 1 in the lanes where x is the first to equal `extreme`.
  const T* marks(const T* x, const T* extreme) {
    for (std::size_t l = 0; l < row_.size(); ++l) {
      const bool here = found_[l] == 0 && x[l] == extreme[l];
      found_[l] = here ? 1 : found_[l];
      row_[l] = here ? 1 : 0;
    }
    return row_.data();
  }

 private:
  std::vector<char> found_;
  std::vector<T> row_;
};

/// ∂(Σ|x|^p)^(1/p)/∂x = sign(x)·(|x|/y)^(p−1).
template <typename T>
T norm_slope(double p, T x, T y) {
  if (p == 1) return sign(x);
  if (value(y) == 0) return 0;
  return p == 2 ? x / y : sign(x) * smooth::power((x < 0 ? -x : x) / y, p - 1);
}

/// ∂y/∂x for one element of a reduction, where it depends on x and y alone.
template <typename T>
T reduction_slope(ReduceFunction function, double count, T x, T y) {
  using F = ReduceFunction;
  switch (function) {
    case F::sum:
      return 1;
    case F::mean:
      return 1 / count;
    case F::l1:
      return sign(x);
    case F::l2:
      return norm_slope(2, x, y);
    case F::sum_square:
      return 2 * x;
    case F::log_sum:
      return smooth::exp(-y);
    case F::log_sum_exp:
      return smooth::exp(x - y);
    case F::max:
    case F::min:
    case F::product:
      break;
  }
  return 0;
}

}  // namespace

template <typename T>
void entries(const Pooling& op, const Point<T>& at, Jacobian<T>& jacobian) {
  if (!jacobian.wants(0)) return;
  const Shape& in = *at.inputs[0].shape;
  const PoolingWindows windows = pooling_windows(op, in);
  Rows<T> rows(at.inputs[0], at.lanes);
  First<T> first(at.lanes);
  std::vector<T> row(at.lanes);
  const std::int64_t channels = in[0] * in[1];
  const std::int64_t channel_size = channels == 0 ? 0 : element_count(in) / channels;
  std::int64_t o = 0;
  for (std::int64_t channel = 0; channel < channels; ++channel) {
    for (std::size_t window = 0; window < windows.divisor.size(); ++window, ++o) {
      const T* y = at.output + o * at.lanes;
      first.start();
      for (std::int64_t t = windows.begin[window]; t < windows.begin[window + 1]; ++t) {
        const std::int64_t e = channel * channel_size + windows.taps[t];
        if (op.kind == Pooling::Kind::average) {
          jacobian.entry(o, 0, e, T(1.0 / static_cast<double>(windows.divisor[window])));
        } else if (op.kind == Pooling::Kind::max) {
          jacobian.entry(o, 0, e, first.marks(rows[e], y));
        } else {
          const T* x = rows[e];
          for (int l = 0; l < at.lanes; ++l) row[l] = norm_slope(op.p, x[l], y[l]);
          jacobian.entry(o, 0, e, row.data());
        }
      }
    }
  }
}

template <typename T>
void entries(const Reduce& op, const Point<T>& at, Jacobian<T>& jacobian) {
  if (!jacobian.wants(0)) return;
  const Shape& in = *at.inputs[0].shape;
  const std::vector<std::int64_t> bases = offsets_over(in, other_axes(in, op.axes));
  const std::vector<std::int64_t> offsets = offsets_over(in, op.axes);
  const auto count = static_cast<double>(offsets.size());
  Rows<T> rows(at.inputs[0], at.lanes), others(at.inputs[0], at.lanes);
  First<T> first(at.lanes);
  std::vector<T> row(at.lanes);
  for (std::size_t o = 0; o < bases.size(); ++o) {
    const T* y = at.output + static_cast<std::int64_t>(o) * at.lanes;
    first.start();
    for (const std::int64_t offset : offsets) {
      const std::int64_t e = bases[o] + offset;
      const T* x = rows[e];
      const T* coefficient = row.data();
      if (op.function == ReduceFunction::max || op.function == ReduceFunction::min) {
        coefficient = first.marks(x, y);
      } else if (op.function == ReduceFunction::product) {
        std::fill(row.begin(), row.end(), T(1));
        for (const std::int64_t other : offsets) {
          if (other == offset) continue;
          const T* factor = others[bases[o] + other];
          for (int l = 0; l < at.lanes; ++l) row[l] = row[l] * factor[l];
        }
      } else {
        for (int l = 0; l < at.lanes; ++l) {
          row[l] = reduction_slope(op.function, count, x[l], y[l]);
        }
      }
      jacobian.entry(static_cast<std::int64_t>(o), 0, e, coefficient);
    }
  }
}

template <typename T>
void entries(const Softmax& op, const Point<T>& at, Jacobian<T>& jacobian) {
  if (!jacobian.wants(0) || op.kind == Softmax::Kind::hardmax) return;
  const Shape& in = *at.inputs[0].shape;
  const AxisSplit split = split_at(in, front_axis("Softmax", op.axis, in));
  const bool log = op.kind == Softmax::Kind::log_softmax;
  std::vector<T> row(at.lanes);
  for (std::int64_t outer = 0; outer < split.outer; ++outer) {
    for (std::int64_t inner = 0; inner < split.inner; ++inner) {
      const std::int64_t base = outer * split.length * split.inner + inner;
      for (std::int64_t i = 0; i < split.length; ++i) {
        for (std::int64_t j = 0; j < split.length; ++j) {
          const std::int64_t o = base + i * split.inner, e = base + j * split.inner;
          const T* y = at.output + o * at.lanes;
          const T* z = at.output + e * at.lanes;
          const double same = i == j ? 1 : 0;
          for (int l = 0; l < at.lanes; ++l) {
            row[l] = log ? same - smooth::exp(z[l]) : y[l] * (same - z[l]);
          }
          jacobian.entry(o, 0, e, row.data());
        }
      }
    }
  }
}

#define FLIPSCOPE_INSTANTIATE(Op)                                            \
  template void entries(const Op&, const Point<double>&, Jacobian<double>&); \
  template void entries(const Op&, const Point<Dual>&, Jacobian<Dual>&);
FLIPSCOPE_INSTANTIATE(Pooling)
FLIPSCOPE_INSTANTIATE(Reduce)
FLIPSCOPE_INSTANTIATE(Softmax)
#undef FLIPSCOPE_INSTANTIATE

}  // namespace flipscope
