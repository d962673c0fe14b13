#include "flipscope/ops/convolution.h"

#include <algorithm>
#include <numeric>
#include <type_traits>

#include "flipscope/numeric/error.h"
#include "flipscope/ops/convolution_geometry.h"
#include "flipscope/ops/convolution_tiles.h"
#include "flipscope/ops/dot.h"

namespace flipscope {
namespace {

/// A convolution at work, one output position after the other; `Sum` is what it does there.
template <typename T, typename Op, auto Sum = dot<T>>
class PositionRun {
 public:
  PositionRun(const Op& op, std::span<const View<T>> inputs, const Shape& y, T* out, int lanes)
      : op_(op),
        inputs_(inputs),
        y_(y),
        out_(out),
        lanes_(lanes),
        g_(geometry(op, *inputs[0].shape, *inputs[1].shape, y)) {}

  /// Channels [first, last) at `position`, which is place `at` of the plane.
  void run(const Shape& position, std::int64_t at, std::int64_t first, std::int64_t last) {
    spatial_taps(op_, *inputs_[0].shape, *inputs_[1].shape, position, taps_);
    if (taps_.empty()) {
      all_.clear();
      previous_.clear();
    } else if (!same_pattern(taps_, previous_)) {
      spread(taps_, g_, all_);
      previous_ = taps_;
    }
    const std::int64_t anchor = taps_.empty() ? 0 : taps_.front().plane;
    const bool has_bias = inputs_.size() > 2 && inputs_[2].shape;
    for (std::int64_t n = 0; n < g_.batch; ++n) {
      for (std::int64_t group = first / g_.out_per_group; group * g_.out_per_group < last;
           ++group) {
        const std::int64_t from = std::max(first, group * g_.out_per_group);
        const std::int64_t to = std::min(last, (group + 1) * g_.out_per_group);
        const std::int64_t row = from - group * g_.out_per_group;
        Sum(Dot<T>{.x = inputs_[0],
                   .x_first = (n * g_.in_channels + group * g_.in_per_group) * g_.in_plane + anchor,
                   .w = inputs_[1],
                   .w_first = group * g_.group_step + row * g_.row_step,
                   .row_step = g_.row_step,
                   .taps = &all_,
                   .bias = has_bias ? inputs_[2] : View<T>{},
                   .bias_first = from,
                   .rows = to - from,
                   .out = out_ + ((n * g_.out_channels + from) * g_.out_plane + at) * lanes_,
                   .out_step = g_.out_plane * lanes_,
                   .channel = from,
                   .accumulation = &op_.accumulation,
                   .lanes = lanes_});
      }
    }
  }

 private:
  const Op& op_;
  std::span<const View<T>> inputs_;
  const Shape& y_;
  T* out_;
  int lanes_;
  Geometry g_;
  std::vector<SpatialTap> taps_, previous_;
  Taps all_;
};

template <typename Run>
void run_everywhere(Run positions, const Shape& y, std::int64_t first, std::int64_t last) {
  Shape position(spatial_rank(y), 0);
  std::int64_t at = 0;
  do {
    positions.run(position, at++, first, last);
  } while (next(position, y, 2));
}

template <typename T, typename Op>
void run(const Op& op, std::span<const View<T>> inputs, const Shape& y, T* out, int lanes,
         std::int64_t first, std::int64_t last) {
  if constexpr (std::is_same_v<T, float> && std::is_same_v<Op, Convolution>) {
    if (runs_in_tiles(op, inputs, lanes, last - first)) {
      std::vector<std::int32_t> positions(product(y, 2));
      std::iota(positions.begin(), positions.end(), 0);
      return run_in_tiles(op, inputs, y, out, lanes, positions, first, last);
    }
  }
  run_everywhere(PositionRun<T, Op>(op, inputs, y, out, lanes), y, first, last);
}

template <typename Op>
void check_attributes(const char* what, const Op& op, std::span<const Shape> inputs) {
  if (inputs.size() < 2) fail("shape", "{} needs inputs x and w", what);
  const Shape& x = inputs[0];
  const Shape& w = inputs[1];
  if (x.size() < 3 || w.size() != x.size()) {
    fail("shape", "{} needs x [N,C,spatial…] and w of the same rank, got {} and {}", what,
         to_string(x), to_string(w));
  }
  const std::size_t rank = spatial_rank(x);
  if (op.stride.size() != rank || op.dilation.size() != rank || op.pad_begin.size() != rank ||
      op.pad_end.size() != rank) {
    fail("shape", "{} of {} spatial axes needs {} strides, dilations and pads", what, rank, rank);
  }
  for (std::size_t i = 0; i < rank; ++i) {
    if (op.stride[i] < 1 || op.dilation[i] < 1) {
      fail("shape", "{} strides and dilations must be positive, got {} and {}", what, op.stride[i],
           op.dilation[i]);
    }
  }
  if (op.groups < 1 || x[1] % op.groups != 0) {
    fail("shape", "{} groups must divide the input channels, got {} and {}", what, op.groups, x[1]);
  }
}

void check_bias(const char* what, std::span<const Shape> inputs, std::int64_t channels) {
  if (inputs.size() > 2 && !inputs[2].empty() && element_count(inputs[2]) != channels) {
    fail("shape", "{} bias must have one element per output channel ({}), got {}", what, channels,
         to_string(inputs[2]));
  }
}

}  // namespace

Shape output_shape(const Convolution& op, std::span<const Shape> inputs) {
  check_attributes("Convolution", op, inputs);
  const Shape& x = inputs[0];
  const Shape& w = inputs[1];
  if (w[1] != x[1] / op.groups || w[0] % op.groups != 0) {
    fail("shape",
         "Convolution weights {} do not fit {} input channels in {} groups: expected [M,{},…]",
         to_string(w), x[1], op.groups, x[1] / op.groups);
  }
  check_bias("Convolution", inputs, w[0]);
  Shape y{x[0], w[0]};
  for (std::size_t i = 0; i < spatial_rank(x); ++i) {
    const std::int64_t span = op.dilation[i] * (w[i + 2] - 1) + 1;
    const std::int64_t padded = x[i + 2] + op.pad_begin[i] + op.pad_end[i];
    if (w[i + 2] < 1 || padded < span) {
      fail("shape", "Convolution kernel {} does not fit the padded input {} of axis {}", span,
           padded, i);
    }
    y.push_back((padded - span) / op.stride[i] + 1);
  }
  return y;
}

Shape output_shape(const TransposedConvolution& op, std::span<const Shape> inputs) {
  check_attributes("TransposedConvolution", op, inputs);
  const Shape& x = inputs[0];
  const Shape& w = inputs[1];
  if (w[0] != x[1]) {
    fail("shape", "TransposedConvolution weights {} do not fit {} input channels", to_string(w),
         x[1]);
  }
  if (op.output_padding.size() != spatial_rank(x)) {
    fail("shape", "TransposedConvolution needs an output padding for each spatial axis");
  }
  check_bias("TransposedConvolution", inputs, w[1] * op.groups);
  Shape y{x[0], w[1] * op.groups};
  for (std::size_t i = 0; i < spatial_rank(x); ++i) {
    const std::int64_t size = op.stride[i] * (x[i + 2] - 1) + op.output_padding[i] +
                              op.dilation[i] * (w[i + 2] - 1) + 1 - op.pad_begin[i] - op.pad_end[i];
    if (size < 1) fail("shape", "TransposedConvolution output of axis {} would be empty", i);
    y.push_back(size);
  }
  return y;
}

void forward_positions(const Convolution& op, std::span<const View<float>> inputs,
                       const Shape& out_shape, float* out, int lanes,
                       std::span<const std::int32_t> positions) {
  if (runs_in_tiles(op, inputs, lanes, out_shape[1])) {
    return run_in_tiles(op, inputs, out_shape, out, lanes, positions, 0, out_shape[1]);
  }
  PositionRun<float, Convolution> run(op, inputs, out_shape, out, lanes);
  for (std::int32_t at : positions) run.run(coordinates(at, out_shape), at, 0, out_shape[1]);
}

void forward_element(const Convolution& op, std::span<const View<float>> inputs,
                     const Shape& out_shape, float* out, int lanes, std::int64_t channel,
                     std::int64_t position) {
  PositionRun<float, Convolution>(op, inputs, out_shape, out, lanes)
      .run(coordinates(position, out_shape), position, channel, channel + 1);
}

void forward_element(const TransposedConvolution& op, std::span<const View<float>> inputs,
                     const Shape& out_shape, float* out, int lanes, std::int64_t channel,
                     std::int64_t position) {
  PositionRun<float, TransposedConvolution>(op, inputs, out_shape, out, lanes)
      .run(coordinates(position, out_shape), position, channel, channel + 1);
}

void partial_sums(const Convolution& op, std::span<const View<float>> inputs,
                  const Shape& out_shape, float* out, int lanes) {
  run_everywhere(
      PositionRun<float, Convolution, dot_partial_sums>(op, inputs, out_shape, out, lanes),
      out_shape, 0, out_shape[1]);
}

template <typename T>
void forward_channels(const Convolution& op, std::span<const View<T>> inputs,
                      const Shape& out_shape, T* out, int lanes, std::int64_t first,
                      std::int64_t last) {
  run(op, inputs, out_shape, out, lanes, first, last);
}

template <typename T>
void forward_channels(const TransposedConvolution& op, std::span<const View<T>> inputs,
                      const Shape& out_shape, T* out, int lanes, std::int64_t first,
                      std::int64_t last) {
  run(op, inputs, out_shape, out, lanes, first, last);
}

template <typename T>
void forward(const Convolution& op, std::span<const View<T>> inputs, const Shape& out_shape, T* out,
             int lanes) {
  run(op, inputs, out_shape, out, lanes, 0, out_shape[1]);
}

template <typename T>
void forward(const TransposedConvolution& op, std::span<const View<T>> inputs,
             const Shape& out_shape, T* out, int lanes) {
  run(op, inputs, out_shape, out, lanes, 0, out_shape[1]);
}

#define FLIPSCOPE_INSTANTIATE(Op, T)                                                            \
  template void forward<T>(const Op&, std::span<const View<T>>, const Shape&, T*, int);         \
  template void forward_channels<T>(const Op&, std::span<const View<T>>, const Shape&, T*, int, \
                                    std::int64_t, std::int64_t);
FLIPSCOPE_INSTANTIATE(Convolution, float)
FLIPSCOPE_INSTANTIATE(Convolution, double)
FLIPSCOPE_INSTANTIATE(TransposedConvolution, float)
FLIPSCOPE_INSTANTIATE(TransposedConvolution, double)
#undef FLIPSCOPE_INSTANTIATE

}  // namespace flipscope
