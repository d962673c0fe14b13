#include "flipscope/ops/convolution.h"

#include <algorithm>
#include <cassert>
#include <optional>
#include <type_traits>

#include "flipscope/numeric/error.h"
#include "flipscope/ops/dot.h"

namespace flipscope {
namespace {

std::size_t spatial_rank(const Shape& x) {
  return x.size() - 2;
}

std::int64_t product(const Shape& shape, std::size_t from) {
  std::int64_t result = 1;
  for (std::size_t i = from; i < shape.size(); ++i) result *= shape[i];
  return result;
}

/// Steps through all positions of a box in C order.
bool next(Shape& position, const Shape& box, std::size_t box_from) {
  for (std::size_t i = position.size(); i-- > 0;) {
    if (++position[i] < box[box_from + i]) return true;
    position[i] = 0;
  }
  return false;
}

/// One tap of a kernel at one output position: where it reads the channel's plane, and its place in
/// the kernel.
struct SpatialTap {
  std::int64_t plane = 0;
  std::int64_t kernel = 0;
};

/// Where tap `k` reads along an axis for output position `at`: perhaps a pad; nothing where it
/// falls between the elements of the input.
std::optional<std::int64_t> read_position(const Convolution& op, std::size_t axis, std::int64_t at,
                                          std::int64_t k) {
  return at * op.stride[axis] + k * op.dilation[axis] - op.pad_begin[axis];
}

std::optional<std::int64_t> read_position(const TransposedConvolution& op, std::size_t axis,
                                          std::int64_t at, std::int64_t k) {
  const std::int64_t spread = at + op.pad_begin[axis] - k * op.dilation[axis];
  if (spread % op.stride[axis] != 0) return {};
  return spread / op.stride[axis];
}

template <typename Op>
void spatial_taps(const Op& op, const Shape& x, const Shape& w, const Shape& position,
                  std::vector<SpatialTap>& taps) {
  const std::size_t rank = spatial_rank(x);
  taps.clear();
  Shape k(rank, 0);
  std::int64_t kernel = 0;
  do {
    std::int64_t plane = 0;
    bool inside = true;
    for (std::size_t i = 0; i < rank && inside; ++i) {
      const std::int64_t at = read_position(op, i, position[i], k[i]).value_or(-1);
      inside = at >= 0 && at < x[i + 2];
      plane = plane * x[i + 2] + at;
    }
    if (inside) taps.push_back({plane, kernel});
    ++kernel;
  } while (next(k, w, 2));
}

/// How the two kinds of convolution lie in memory.
struct Geometry {
  std::int64_t batch, in_channels, out_channels, groups;
  std::int64_t in_per_group, out_per_group;
  std::int64_t in_plane, out_plane, kernel;
  std::int64_t row_step;      ///< weights from one output channel to the next
  std::int64_t channel_step;  ///< weights from one input channel to the next
  std::int64_t group_step;    ///< weights from one group to the next
};

template <typename Op>
Geometry geometry(const Op& op, const Shape& x, const Shape& w, const Shape& y) {
  Geometry g{};
  g.batch = x[0];
  g.in_channels = x[1];
  g.out_channels = y[1];
  g.groups = op.groups;
  g.in_per_group = g.in_channels / g.groups;
  g.out_per_group = g.out_channels / g.groups;
  g.in_plane = product(x, 2);
  g.out_plane = product(y, 2);
  g.kernel = product(w, 2);
  if constexpr (std::is_same_v<Op, Convolution>) {
    g.row_step = g.in_per_group * g.kernel;
    g.channel_step = g.kernel;
    g.group_step = g.out_per_group * g.row_step;
  } else {
    g.row_step = g.kernel;
    g.channel_step = g.out_per_group * g.kernel;
    g.group_step = g.in_per_group * g.channel_step;
  }
  return g;
}

/// Spreads the taps of one plane over all input channels of a group.
void spread(const std::vector<SpatialTap>& taps, const Geometry& g, Taps& all) {
  all.clear();
  for (std::int64_t c = 0; c < g.in_per_group; ++c) {
    for (const SpatialTap& tap : taps) {
      all.add(c * g.in_plane + tap.plane - taps.front().plane, c * g.channel_step + tap.kernel);
    }
  }
}

bool same_pattern(const std::vector<SpatialTap>& a, const std::vector<SpatialTap>& b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i].kernel != b[i].kernel || a[i].plane - a[0].plane != b[i].plane - b[0].plane) {
      return false;
    }
  }
  return true;
}

/// A convolution at work, one output position after the other.
template <typename T, typename Op>
class Positions {
 public:
  Positions(const Op& op, std::span<const View<T>> inputs, const Shape& y, T* out, int lanes)
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
        dot(Dot<T>{.x = inputs_[0],
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

template <typename T, typename Op>
void run(const Op& op, std::span<const View<T>> inputs, const Shape& y, T* out, int lanes,
         std::int64_t first, std::int64_t last) {
  Positions<T, Op> positions(op, inputs, y, out, lanes);
  Shape position(spatial_rank(y), 0);
  std::int64_t at = 0;
  do {
    positions.run(position, at++, first, last);
  } while (next(position, y, 2));
}

/// Coordinates of a place in the planes of a value.
Shape coordinates(std::int64_t place, const Shape& shape) {
  Shape position(spatial_rank(shape));
  for (std::size_t i = position.size(); i-- > 0;) {
    position[i] = place % shape[i + 2];
    place /= shape[i + 2];
  }
  return position;
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
  Positions<float, Convolution> run(op, inputs, out_shape, out, lanes);
  for (std::int32_t at : positions) run.run(coordinates(at, out_shape), at, 0, out_shape[1]);
}

void forward_element(const Convolution& op, std::span<const View<float>> inputs,
                     const Shape& out_shape, float* out, int lanes, std::int64_t channel,
                     std::int64_t position) {
  Positions<float, Convolution>(op, inputs, out_shape, out, lanes)
      .run(coordinates(position, out_shape), position, channel, channel + 1);
}

void forward_element(const TransposedConvolution& op, std::span<const View<float>> inputs,
                     const Shape& out_shape, float* out, int lanes, std::int64_t channel,
                     std::int64_t position) {
  Positions<float, TransposedConvolution>(op, inputs, out_shape, out, lanes)
      .run(coordinates(position, out_shape), position, channel, channel + 1);
}

std::vector<std::int32_t> affected_positions(const Convolution& op, const Shape& x_shape,
                                             const Shape& w_shape, const Shape& out_shape,
                                             std::span<const std::int32_t> places) {
  std::vector<std::int32_t> positions;
  for (std::int32_t place : places) {
    const Shape from = coordinates(place, x_shape);
    Shape k(from.size(), 0);
    do {
      std::int64_t at = 0;
      bool exists = true;
      for (std::size_t i = 0; i < k.size() && exists; ++i) {
        const std::int64_t spread = from[i] + op.pad_begin[i] - k[i] * op.dilation[i];
        exists =
            spread >= 0 && spread % op.stride[i] == 0 && spread / op.stride[i] < out_shape[i + 2];
        at = at * out_shape[i + 2] + spread / op.stride[i];
      }
      if (exists) positions.push_back(static_cast<std::int32_t>(at));
    } while (next(k, w_shape, 2));
  }
  std::sort(positions.begin(), positions.end());
  positions.erase(std::unique(positions.begin(), positions.end()), positions.end());
  return positions;
}

std::vector<std::int32_t> tap_positions(const Convolution& op, const Shape& x_shape,
                                        const Shape& w_shape, const Shape& out_shape) {
  const std::int64_t positions = product(out_shape, 2);
  std::vector<std::int32_t> reads(product(w_shape, 2) * positions, -1);
  std::vector<SpatialTap> taps;
  Shape position(spatial_rank(out_shape), 0);
  std::int64_t at = 0;
  do {
    spatial_taps(op, x_shape, w_shape, position, taps);
    for (const SpatialTap& tap : taps) {
      reads[tap.kernel * positions + at] = static_cast<std::int32_t>(tap.plane);
    }
    ++at;
  } while (next(position, out_shape, 2));
  return reads;
}

void add_change(const Convolution& op, const Shape& x_shape, const View<float>& w,
                const Shape& out_shape, std::span<const std::int64_t> channels, const float* change,
                const float* start, float* out, int lanes) {
  assert(op.groups == 1 && x_shape[0] == 1);
  static const Accumulation kPlainSum;
  const Geometry g = geometry(op, x_shape, *w.shape, out_shape);
  std::vector<SpatialTap> taps, previous;
  Taps all;
  Shape position(spatial_rank(out_shape), 0);
  std::int64_t at = 0;
  do {
    spatial_taps(op, x_shape, *w.shape, position, taps);
    if (!same_pattern(taps, previous)) {
      all.clear();
      for (std::size_t k = 0; k < channels.size(); ++k) {
        for (const SpatialTap& tap : taps) {
          all.add(static_cast<std::int64_t>(k) * g.in_plane + tap.plane - taps.front().plane,
                  channels[k] * g.channel_step + tap.kernel);
        }
      }
      previous = taps;
    }
    dot(Dot<float>{.x = {change, &x_shape},
                   .x_first = taps.empty() ? 0 : taps.front().plane,
                   .w = w,
                   .row_step = g.row_step,
                   .taps = &all,
                   .start = start + at * lanes,
                   .rows = g.out_channels,
                   .out = out + at * lanes,
                   .out_step = g.out_plane * lanes,
                   .accumulation = &kPlainSum,
                   .lanes = lanes});
    ++at;
  } while (next(position, out_shape, 2));
}

void add_weight_change(const Convolution& op, const View<float>& x, const Shape& w_shape,
                       const Shape& out_shape, std::int64_t element, float change, float* sum,
                       int lanes) {
  const Shape& x_shape = *x.shape;
  const Geometry g = geometry(op, x_shape, w_shape, out_shape);
  const std::int64_t group = element / g.row_step / g.out_per_group;
  const std::int64_t channel = group * g.in_per_group + element % g.row_step / g.channel_step;
  const float* plane = x.data + channel * g.in_plane * lanes;
  Shape kernel_at(spatial_rank(x_shape));
  std::int64_t rest = element % g.kernel;
  for (std::size_t i = kernel_at.size(); i-- > 0;) {
    kernel_at[i] = rest % w_shape[i + 2];
    rest /= w_shape[i + 2];
  }
  Shape position(spatial_rank(out_shape), 0);
  float* out = sum;
  do {
    std::int64_t from = 0;
    bool inside = true;
    for (std::size_t i = 0; i < position.size() && inside; ++i) {
      const std::int64_t p =
          position[i] * op.stride[i] + kernel_at[i] * op.dilation[i] - op.pad_begin[i];
      inside = p >= 0 && p < x_shape[i + 2];
      from = from * x_shape[i + 2] + p;
    }
    if (inside) {
      const float* read = plane + from * lanes;
      for (int lane = 0; lane < lanes; ++lane) out[lane] += change * read[lane];
    }
    out += lanes;
  } while (next(position, out_shape, 2));
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
