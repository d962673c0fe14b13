// Softmax, its logarithm, and hardmax along one axis.
#include "flipscope/ops/softmax.h"

#include <limits>

#include "flipscope/numeric/deterministic_math.h"
#include "flipscope/numeric/exp_row.h"
#include "flipscope/ops/index.h"
#include "flipscope/ops/rows.h"

namespace flipscope {
namespace {

/// One group of `length` rows that lie `step` elements apart, from element `base` on.
struct Group {
  std::int64_t base, step, length;
};

template <typename T>
void find_maximum(Rows<T>& rows, const Group& group, T* most, int lanes) {
  std::fill_n(most, lanes, -std::numeric_limits<T>::infinity());
  for (std::int64_t i = 0; i < group.length; ++i) {
    const T* x = rows[group.base + i * group.step];
    each_lane(lanes, [=](auto k) { most[k] = (x[k] > most[k]) | (x[k] != x[k]) ? x[k] : most[k]; });
  }
}

template <typename T>
void softmax(Softmax::Kind kind, Rows<T>& rows, const Group& group, const T* most, T* sum,
             T* powers, T* out, int lanes) {
  std::fill_n(sum, lanes, static_cast<T>(0));
  const bool log = kind == Softmax::Kind::log_softmax;
  for (std::int64_t i = 0; i < group.length; ++i) {
    const T* x = rows[group.base + i * group.step];
    T* y = out + (group.base + i * group.step) * lanes;
    each_lane(lanes, [=](auto k) { y[k] = x[k] - most[k]; });
    det::exp_row(y, log ? powers : y, lanes);
    const T* power = log ? powers : y;
    each_lane(lanes, [=](auto k) { sum[k] += power[k]; });
  }
  if (log) each_lane(lanes, [=](auto k) { sum[k] = det::log(sum[k]); });
  for (std::int64_t i = 0; i < group.length; ++i) {
    T* y = out + (group.base + i * group.step) * lanes;
    if (log)
      each_lane(lanes, [=](auto k) { y[k] -= sum[k]; });
    else
      each_lane(lanes, [=](auto k) { y[k] /= sum[k]; });
  }
}

template <typename T>
void hardmax(Rows<T>& rows, const Group& group, const T* most, T* found, T* out, int lanes) {
  std::fill_n(found, lanes, static_cast<T>(0));
  for (std::int64_t i = 0; i < group.length; ++i) {
    const T* x = rows[group.base + i * group.step];
    T* y = out + (group.base + i * group.step) * lanes;
    each_lane(lanes, [=](auto k) {
      const bool nan = x[k] != x[k];
      const bool here = (found[k] == 0) & (nan | (x[k] == most[k]));
      y[k] = here ? (nan ? x[k] : 1) : 0;
      found[k] = here ? 1 : found[k];
    });
  }
}

}  // namespace

Shape output_shape(const Softmax& op, std::span<const Shape> inputs) {
  require_inputs("Softmax", inputs, 1);
  front_axis("Softmax", op.axis, inputs[0]);
  return inputs[0];
}

template <typename T>
void forward(const Softmax& op, std::span<const View<T>> inputs, const Shape&, T* out, int lanes) {
  const Shape& in = *inputs[0].shape;
  const AxisSplit split = split_at(in, front_axis("Softmax", op.axis, in));
  Rows<T> rows(inputs[0], lanes);
  std::vector<T> most(lanes), sum(lanes), powers(lanes);
  for (std::int64_t outer = 0; outer < split.outer; ++outer) {
    for (std::int64_t inner = 0; inner < split.inner; ++inner) {
      const Group group{outer * split.length * split.inner + inner, split.inner, split.length};
      find_maximum(rows, group, most.data(), lanes);
      if (op.kind == Softmax::Kind::hardmax) {
        hardmax(rows, group, most.data(), sum.data(), out, lanes);
      } else {
        softmax(op.kind, rows, group, most.data(), sum.data(), powers.data(), out, lanes);
      }
    }
  }
}

template void forward(const Softmax&, std::span<const View<float>>, const Shape&, float*, int);
template void forward(const Softmax&, std::span<const View<double>>, const Shape&, double*, int);

}  // namespace flipscope
