// Reduction over axes, and the index of an extreme along one axis.
#include "flipscope/ops/reduce.h"

#include <cmath>
#include <limits>

#include "flipscope/numeric/deterministic_math.h"
#include "flipscope/numeric/error.h"
#include "flipscope/ops/index.h"
#include "flipscope/ops/rows.h"

namespace flipscope {
namespace {

template <typename T>
T start_of(ReduceFunction function) {
  switch (function) {
    case ReduceFunction::max:
      return -std::numeric_limits<T>::infinity();
    case ReduceFunction::min:
      return std::numeric_limits<T>::infinity();
    case ReduceFunction::product:
      return 1;
    default:
      return 0;
  }
}

/// One more row into the result.
template <typename T>
void take(ReduceFunction function, const T* x, T* out, int lanes) {
  using F = ReduceFunction;
  const auto map = [=](auto f) { each_lane(lanes, [=](auto k) { out[k] = f(out[k], x[k]); }); };
  switch (function) {
    case F::sum:
    case F::mean:
    case F::log_sum:
      return map([](T sum, T v) { return sum + v; });
    case F::max:
      return map([](T most, T v) { return (v > most) | (v != v) ? v : most; });
    case F::min:
      return map([](T least, T v) { return (v < least) | (v != v) ? v : least; });
    case F::product:
      return map([](T product, T v) { return product * v; });
    case F::l1:
      return map([](T sum, T v) { return sum + std::fabs(v); });
    case F::l2:
    case F::sum_square:
      return map([](T sum, T v) { return std::fma(v, v, sum); });
    case F::log_sum_exp:
      return;
  }
}

template <typename T>
void finish(ReduceFunction function, std::size_t count, T* out, int lanes) {
  const T divisor = static_cast<T>(count);
  if (function == ReduceFunction::mean) {
    each_lane(lanes, [=](auto k) { out[k] /= divisor; });
  } else if (function == ReduceFunction::l2) {
    each_lane(lanes, [=](auto k) { out[k] = std::sqrt(out[k]); });
  } else if (function == ReduceFunction::log_sum) {
    each_lane(lanes, [=](auto k) { out[k] = det::log(out[k]); });
  }
}

/// log Σ e^x = m + log Σ e^(x − m), where m is the maximum if that is finite, else 0.
template <typename T>
void log_sum_exp(Rows<T>& x, std::int64_t base, std::span<const std::int64_t> offsets, T* out,
                 int lanes) {
  std::vector<T> shift(lanes, start_of<T>(ReduceFunction::max));
  for (const std::int64_t offset : offsets) {
    take(ReduceFunction::max, x[base + offset], shift.data(), lanes);
  }
  for (T& s : shift) s = std::isinf(s) ? 0 : s;
  std::fill_n(out, lanes, static_cast<T>(0));
  for (const std::int64_t offset : offsets) {
    const T* v = x[base + offset];
    for (int k = 0; k < lanes; ++k) out[k] += det::exp(v[k] - shift[k]);
  }
  for (int k = 0; k < lanes; ++k) out[k] = shift[k] + det::log(out[k]);
}

}  // namespace

Shape output_shape(const Reduce& op, std::span<const Shape> inputs) {
  require_inputs("Reduce", inputs, 1);
  require_axes("Reduce", op.axes, inputs[0]);
  return reduced_shape(inputs[0], op.axes, op.keep_dims);
}

Shape output_shape(const ArgReduce& op, std::span<const Shape> inputs) {
  require_inputs("ArgReduce", inputs, 1);
  const std::int64_t axis = static_cast<std::int64_t>(front_axis("ArgReduce", op.axis, inputs[0]));
  if (inputs[0][axis] == 0) {
    fail("shape", "ArgReduce: axis {} of {} has no elements to choose from", op.axis,
         to_string(inputs[0]));
  }
  return reduced_shape(inputs[0], {&axis, 1}, op.keep_dims);
}

template <typename T>
void forward(const Reduce& op, std::span<const View<T>> inputs, const Shape&, T* out, int lanes) {
  const Shape& in = *inputs[0].shape;
  const std::vector<std::int64_t> bases = offsets_over(in, other_axes(in, op.axes));
  const std::vector<std::int64_t> offsets = offsets_over(in, op.axes);
  Rows<T> x(inputs[0], lanes);
  for (const std::int64_t base : bases) {
    if (op.function == ReduceFunction::log_sum_exp) {
      log_sum_exp<T>(x, base, offsets, out, lanes);
    } else {
      std::fill_n(out, lanes, start_of<T>(op.function));
      for (const std::int64_t offset : offsets) take(op.function, x[base + offset], out, lanes);
      finish(op.function, offsets.size(), out, lanes);
    }
    out += lanes;
  }
}

template <typename T>
void forward(const ArgReduce& op, std::span<const View<T>> inputs, const Shape&, T* out,
             int lanes) {
  const Shape& in = *inputs[0].shape;
  const AxisSplit split = split_at(in, front_axis("ArgReduce", op.axis, in));
  const T sign = op.largest ? 1 : -1;
  const bool last = op.select_last;
  Rows<T> x(inputs[0], lanes);
  std::vector<T> extremes(lanes);
  T* const best = extremes.data();
  for (std::int64_t outer = 0; outer < split.outer; ++outer) {
    for (std::int64_t inner = 0; inner < split.inner; ++inner, out += lanes) {
      const std::int64_t base = outer * split.length * split.inner + inner;
      const T* first = x[base];
      each_lane(lanes, [=](auto k) { best[k] = sign * first[k], out[k] = 0; });
      for (std::int64_t i = 1; i < split.length; ++i) {
        const T* v = x[base + i * split.inner];
        const T index = static_cast<T>(i);
        each_lane(lanes, [=](auto k) {
          const T candidate = sign * v[k];
          const bool nan = candidate != candidate, best_is_nan = best[k] != best[k];
          const bool more = (candidate > best[k]) | (nan & !best_is_nan);
          const bool same = (candidate == best[k]) | (nan & best_is_nan);
          const bool better = more | (last & same);
          best[k] = better ? candidate : best[k];
          out[k] = better ? index : out[k];
        });
      }
    }
  }
}

template void forward(const Reduce&, std::span<const View<float>>, const Shape&, float*, int);
template void forward(const Reduce&, std::span<const View<double>>, const Shape&, double*, int);
template void forward(const ArgReduce&, std::span<const View<float>>, const Shape&, float*, int);
template void forward(const ArgReduce&, std::span<const View<double>>, const Shape&, double*, int);

}  // namespace flipscope
