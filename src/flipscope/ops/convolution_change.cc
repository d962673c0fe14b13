// What a changed input or weight of a convolution reaches, and what it adds to exact sums.
#include <algorithm>
#include <cassert>

#include "flipscope/ops/convolution.h"
#include "flipscope/ops/convolution_geometry.h"

namespace flipscope {

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

std::vector<std::int32_t> places_read(const Convolution& op, const Shape& x_shape,
                                      const Shape& w_shape, const Shape& out_shape,
                                      std::span<const std::int32_t> positions) {
  std::vector<bool> read(product(x_shape, 2), false);
  std::vector<SpatialTap> taps;
  for (std::int32_t at : positions) {
    spatial_taps(op, x_shape, w_shape, coordinates(at, out_shape), taps);
    for (const SpatialTap& tap : taps) read[tap.plane] = true;
  }
  std::vector<std::int32_t> places;
  for (std::size_t p = 0; p < read.size(); ++p) {
    if (read[p]) places.push_back(static_cast<std::int32_t>(p));
  }
  return places;
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

}  // namespace flipscope
