// Normalization: by stored statistics per channel, by each sample's own statistics, and by the
// neighbouring channels.
#include "flipscope/ops/normalization.h"

#include <cmath>

#include "flipscope/numeric/deterministic_math.h"
#include "flipscope/numeric/error.h"
#include "flipscope/ops/index.h"
#include "flipscope/ops/kernels.h"
#include "flipscope/ops/rows.h"

namespace flipscope {
namespace {

/// fma(x − mean, factor, bias) for n numbers of one channel.
template <typename T>
void scale_and_shift(const T* x, T mean, T factor, T bias, T* out, std::int64_t n) {
  each_lane(n, [=](auto i) { out[i] = std::fma(x[i] - mean, factor, bias); });
}

/// One channel of lane groups is a dot product of one term, so the kernel's fused multiply-add
/// serves here as well.
void scale_and_shift_groups(const float* x, float mean, float factor, float bias, float* out,
                            std::int64_t n) {
  constexpr std::int64_t kChunk = 2048;  // stays in the first-level cache
  alignas(64) float centered[kChunk];
  constexpr std::int32_t kZero = 0;
  for (std::int64_t start = 0; start < n; start += kChunk) {
    const std::int64_t length = std::min(kChunk, n - start);
    float* const to = centered;
    each_lane(length, [=](auto i) { to[i] = x[start + i] - mean; });
    DotRows<float> dot;
    dot.x = centered;
    dot.element = &kZero;
    dot.weights = &factor;
    dot.weight = &kZero;
    dot.taps = 1;
    dot.bias = &bias;
    dot.rows = 1;
    dot.out = out + start;
    dot.lanes = static_cast<int>(length);
    dot_rows(dot);
  }
}

}  // namespace

Shape output_shape(const BatchNormalization&, std::span<const Shape> inputs) {
  require_inputs("BatchNormalization", inputs, 5);
  const Shape& in = inputs[0];
  if (in.size() < 2) {
    fail("shape", "BatchNormalization: the input is {}, but must be [N,C,…]", to_string(in));
  }
  for (const Shape& parameter : inputs.subspan(1)) {
    if (parameter != Shape{in[1]}) {
      fail("shape", "BatchNormalization: a parameter is {}, but the {} channels of {} need [{}]",
           to_string(parameter), in[1], to_string(in), in[1]);
    }
  }
  return in;
}

Shape output_shape(const Standardize& op, std::span<const Shape> inputs) {
  require_inputs("Standardize", inputs, 1);
  require_axes("Standardize", op.axes, inputs[0]);
  return inputs[0];
}

Shape output_shape(const LocalResponse& op, std::span<const Shape> inputs) {
  require_inputs("LocalResponse", inputs, 1);
  if (inputs[0].size() < 2) {
    fail("shape", "LocalResponse: the input is {}, but must be [N,C,…]", to_string(inputs[0]));
  }
  if (op.size < 1) fail("shape", "LocalResponse: size is {}, but must be at least 1", op.size);
  return inputs[0];
}

template <typename T>
void forward(const BatchNormalization& op, std::span<const View<T>> inputs, const Shape&, T* out,
             int lanes) {
  const AxisSplit split = split_at(*inputs[0].shape, 1);
  const T epsilon = static_cast<T>(op.epsilon);
  const bool fixed =
      inputs[1].constant && inputs[2].constant && inputs[3].constant && inputs[4].constant;
  Rows<T> x(inputs[0], lanes), scale(inputs[1], lanes), bias(inputs[2], lanes),
      mean(inputs[3], lanes), variance(inputs[4], lanes);
  std::vector<T> factors(lanes);
  for (std::int64_t i = 0; i < split.outer * split.length; ++i) {
    const std::int64_t channel = i % split.length;
    const T* s = scale[channel];
    const T* v = variance[channel];
    const T* m = mean[channel];
    const T* b = bias[channel];
    T* const factor = factors.data();
    for (int k = 0; k < lanes; ++k) factor[k] = s[k] / std::sqrt(v[k] + epsilon);

    if (fixed && !inputs[0].constant) {
      const std::int64_t n = split.inner * lanes;
      const T* from = inputs[0].data + i * n;
      T* to = out + i * n;
      if constexpr (sizeof(T) == sizeof(float)) {
        const bool aligned = reinterpret_cast<std::uintptr_t>(to) % 64 == 0;
        if (lanes % kLaneGroup == 0 && aligned) {
          scale_and_shift_groups(from, m[0], factor[0], b[0], to, n);
          continue;
        }
      }
      scale_and_shift(from, m[0], factor[0], b[0], to, n);
      continue;
    }
    for (std::int64_t j = i * split.inner; j < (i + 1) * split.inner; ++j) {
      const T* from = x[j];
      T* to = out + j * lanes;
      each_lane(lanes, [=](auto k) { to[k] = std::fma(from[k] - m[k], factor[k], b[k]); });
    }
  }
}

template <typename T>
void forward(const Standardize& op, std::span<const View<T>> inputs, const Shape&, T* out,
             int lanes) {
  const Shape& in = *inputs[0].shape;
  const std::vector<std::int64_t> bases = offsets_over(in, other_axes(in, op.axes));
  const std::vector<std::int64_t> offsets = offsets_over(in, op.axes);
  const T count = static_cast<T>(offsets.size()), epsilon = static_cast<T>(op.epsilon);
  Rows<T> rows(inputs[0], lanes);
  std::vector<T> means(lanes), deviations(lanes);
  T* const mean = means.data();
  T* const deviation = deviations.data();
  for (const std::int64_t base : bases) {
    std::fill_n(mean, lanes, static_cast<T>(0));
    std::fill_n(deviation, lanes, static_cast<T>(0));
    for (const std::int64_t offset : offsets) {
      const T* x = rows[base + offset];
      each_lane(lanes, [=](auto k) { mean[k] += x[k]; });
    }
    each_lane(lanes, [=](auto k) { mean[k] /= count; });
    for (const std::int64_t offset : offsets) {
      const T* x = rows[base + offset];
      each_lane(lanes, [=](auto k) {
        const T d = x[k] - mean[k];
        deviation[k] = std::fma(d, d, deviation[k]);
      });
    }
    each_lane(lanes, [=](auto k) { deviation[k] = std::sqrt(deviation[k] / count + epsilon); });
    for (const std::int64_t offset : offsets) {
      const T* x = rows[base + offset];
      T* y = out + (base + offset) * lanes;
      each_lane(lanes, [=](auto k) { y[k] = (x[k] - mean[k]) / deviation[k]; });
    }
  }
}

template <typename T>
void forward(const LocalResponse& op, std::span<const View<T>> inputs, const Shape&, T* out,
             int lanes) {
  const AxisSplit split = split_at(*inputs[0].shape, 1);
  const T alpha = static_cast<T>(op.alpha / static_cast<double>(op.size));
  const T beta = static_cast<T>(op.beta), bias = static_cast<T>(op.bias);
  Rows<T> rows(inputs[0], lanes);
  std::vector<T> sums(lanes);
  T* const sum = sums.data();
  for (std::int64_t i = 0; i < split.outer * split.length * split.inner; ++i, out += lanes) {
    const std::int64_t channel = i / split.inner % split.length;
    const std::int64_t first = std::max<std::int64_t>(0, channel - (op.size - 1) / 2);
    const std::int64_t last = std::min(split.length - 1, channel + op.size / 2);
    std::fill_n(sum, lanes, static_cast<T>(0));
    for (std::int64_t c = first; c <= last; ++c) {
      const T* x = rows[i + (c - channel) * split.inner];
      each_lane(lanes, [=](auto k) { sum[k] = std::fma(x[k], x[k], sum[k]); });
    }
    const T* x = rows[i];
    each_lane(lanes,
              [=](auto k) { out[k] = x[k] / det::pow(std::fma(alpha, sum[k], bias), beta); });
  }
}

template void forward(const BatchNormalization&, std::span<const View<float>>, const Shape&, float*,
                      int);
template void forward(const BatchNormalization&, std::span<const View<double>>, const Shape&,
                      double*, int);
template void forward(const Standardize&, std::span<const View<float>>, const Shape&, float*, int);
template void forward(const Standardize&, std::span<const View<double>>, const Shape&, double*,
                      int);
template void forward(const LocalResponse&, std::span<const View<float>>, const Shape&, float*,
                      int);
template void forward(const LocalResponse&, std::span<const View<double>>, const Shape&, double*,
                      int);

}  // namespace flipscope
