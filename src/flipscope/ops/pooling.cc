// Pooling: maximum, mean or norm of a window that slides over the spatial axes.
#include "flipscope/ops/pooling.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "flipscope/numeric/deterministic_math.h"
#include "flipscope/numeric/error.h"
#include "flipscope/ops/index.h"
#include "flipscope/ops/rows.h"

namespace flipscope {
namespace {

template <typename T>
void add_tap(const Pooling& op, const T* x, T* out, int lanes) {
  switch (op.kind) {
    case Pooling::Kind::max:
      each_lane(lanes, [=](auto k) { out[k] = (x[k] > out[k]) | (x[k] != x[k]) ? x[k] : out[k]; });
      return;
    case Pooling::Kind::average:
      each_lane(lanes, [=](auto k) { out[k] += x[k]; });
      return;
    case Pooling::Kind::lp:
      if (op.p == 1) {
        each_lane(lanes, [=](auto k) { out[k] += std::fabs(x[k]); });
      } else if (op.p == 2) {
        each_lane(lanes, [=](auto k) { out[k] = std::fma(x[k], x[k], out[k]); });
      } else {
        const T p = static_cast<T>(op.p);
        each_lane(lanes, [=](auto k) { out[k] += det::pow(std::fabs(x[k]), p); });
      }
      return;
  }
}

template <typename T>
void finish(const Pooling& op, std::int64_t divisor, T* out, int lanes) {
  if (op.kind == Pooling::Kind::average) {
    const T count = static_cast<T>(divisor);
    each_lane(lanes, [=](auto k) { out[k] /= count; });
  } else if (op.kind == Pooling::Kind::lp && op.p == 2) {
    each_lane(lanes, [=](auto k) { out[k] = std::sqrt(out[k]); });
  } else if (op.kind == Pooling::Kind::lp && op.p != 1) {
    const T root = static_cast<T>(1 / op.p);
    each_lane(lanes, [=](auto k) { out[k] = det::pow(out[k], root); });
  }
}

/// The offsets that a window reads.
std::span<const std::int64_t> taps(const PoolingWindows& windows, std::int64_t window) {
  const std::int64_t first = windows.begin[window];
  return std::span(windows.taps).subspan(first, windows.begin[window + 1] - first);
}

/// A window of the channel whose rows `x` gives by their offsets.
template <typename T, typename Channel>
void pool(const Pooling& op, const PoolingWindows& windows, std::int64_t window, Channel x, T* out,
          int lanes) {
  const bool max = op.kind == Pooling::Kind::max;
  std::fill_n(out, lanes, max ? -std::numeric_limits<T>::infinity() : static_cast<T>(0));
  for (const std::int64_t tap : taps(windows, window)) add_tap(op, x(tap), out, lanes);
  finish(op, windows.divisor[window], out, lanes);
}

}  // namespace

PoolingWindows pooling_windows(const Pooling& op, const Shape& in) {
  const std::size_t rank = in.size() - 2;
  const Shape spatial(in.begin() + 2, in.end());
  const Shape strides = strides_of(spatial);
  const std::int64_t windows = element_count(op.output), kernel = element_count(op.kernel);
  const Shape window_strides = strides_of(op.output), kernel_strides = strides_of(op.kernel);

  PoolingWindows result;
  for (std::int64_t window = 0; window < windows; ++window) {
    std::int64_t counted = 0;
    for (std::int64_t tap = 0; tap < kernel; ++tap) {
      bool inside = true, padded = true;
      std::int64_t offset = 0;
      for (std::size_t axis = 0; axis < rank; ++axis) {
        const std::int64_t at = window / window_strides[axis] % op.output[axis] * op.stride[axis] +
                                tap / kernel_strides[axis] % op.kernel[axis] * op.dilation[axis] -
                                op.pad_begin[axis];
        inside = inside && at >= 0 && at < spatial[axis];
        padded = padded && op.count_padding && at < spatial[axis] + op.pad_end[axis];
        offset += at * strides[axis];
      }
      if (inside) result.taps.push_back(offset);
      counted += inside || padded;
    }
    result.begin.push_back(static_cast<std::int64_t>(result.taps.size()));
    result.divisor.push_back(counted);
  }
  return result;
}

std::vector<std::int32_t> windows_met(const PoolingWindows& windows,
                                      std::span<const std::int32_t> offsets) {
  std::vector<bool> met(offsets.empty() ? 0 : std::ranges::max(offsets) + 1, false);
  for (const std::int32_t offset : offsets) met[offset] = true;
  std::vector<std::int32_t> some;
  for (std::int32_t window = 0; window < std::ssize(windows.divisor); ++window) {
    const bool meets = std::ranges::any_of(
        taps(windows, window), [&](std::int64_t tap) { return tap < std::ssize(met) && met[tap]; });
    if (meets) some.push_back(window);
  }
  return some;
}

std::vector<std::int32_t> taps_of(const PoolingWindows& windows,
                                  std::span<const std::int32_t> some) {
  std::vector<std::int32_t> offsets;
  for (const std::int32_t window : some) {
    for (const std::int64_t tap : taps(windows, window)) {
      offsets.push_back(static_cast<std::int32_t>(tap));
    }
  }
  std::ranges::sort(offsets);
  offsets.erase(std::unique(offsets.begin(), offsets.end()), offsets.end());
  return offsets;
}

void pool_windows(const Pooling& op, const PoolingWindows& windows,
                  std::span<const std::int32_t> some, const float* x, float* out, int lanes) {
  const auto row = [&](std::int64_t offset) { return x + offset * lanes; };
  for (const std::int32_t window : some) {
    pool(op, windows, window, row, out + std::int64_t{window} * lanes, lanes);
  }
}

Shape output_shape(const Pooling& op, std::span<const Shape> inputs) {
  require_inputs("Pooling", inputs, 1);
  const Shape& in = inputs[0];
  if (in.size() < 3) {
    fail("shape", "Pooling: the input is {}, but must be [N,C,spatial…]", to_string(in));
  }
  const std::size_t rank = in.size() - 2;
  for (const auto* list : {&op.kernel, &op.stride, &op.dilation, &op.pad_begin, &op.output}) {
    if (list->size() != rank) {
      fail("shape",
           "Pooling: kernel, stride, dilation, pads and output must have one entry for each of the "
           "{} spatial axes of {}, but one has {}",
           rank, to_string(in), list->size());
    }
  }
  if (op.count_padding && op.pad_end.size() != rank) {
    fail("shape", "Pooling: pad_end has {} entries, but the input {} has {} spatial axes",
         op.pad_end.size(), to_string(in), rank);
  }
  for (std::size_t axis = 0; axis < rank; ++axis) {
    if (op.kernel[axis] < 1 || op.stride[axis] < 1 || op.dilation[axis] < 1 ||
        op.output[axis] < 1) {
      fail("shape",
           "Pooling: kernel {}, stride {}, dilation {} and output {} must all be at least 1",
           op.kernel[axis], op.stride[axis], op.dilation[axis], op.output[axis]);
    }
  }
  Shape out{in[0], in[1]};
  out.insert(out.end(), op.output.begin(), op.output.end());
  return out;
}

template <typename T>
void forward(const Pooling& op, std::span<const View<T>> inputs, const Shape&, T* out, int lanes) {
  const Shape& in = *inputs[0].shape;
  const PoolingWindows windows = pooling_windows(op, in);
  Rows<T> x(inputs[0], lanes);
  const std::int64_t channels = in[0] * in[1];
  const std::int64_t channel_size = channels == 0 ? 0 : element_count(in) / channels;
  for (std::int64_t channel = 0; channel < channels; ++channel) {
    const auto row = [&](std::int64_t offset) { return x[channel * channel_size + offset]; };
    for (std::int64_t window = 0; window < std::ssize(windows.divisor); ++window, out += lanes) {
      pool(op, windows, window, row, out, lanes);
    }
  }
}

template void forward(const Pooling&, std::span<const View<float>>, const Shape&, float*, int);
template void forward(const Pooling&, std::span<const View<double>>, const Shape&, double*, int);

}  // namespace flipscope
