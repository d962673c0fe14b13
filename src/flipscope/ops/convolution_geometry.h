// How convolutions lie in memory, and which taps meet at an output position. For convolution*.cc.
#pragma once

#include <cstdint>
#include <optional>
#include <type_traits>
#include <vector>

#include "flipscope/ops/dot.h"
#include "flipscope/ops/op.h"

namespace flipscope {

inline std::size_t spatial_rank(const Shape& x) {
  return x.size() - 2;
}

inline std::int64_t product(const Shape& shape, std::size_t from) {
  std::int64_t result = 1;
  for (std::size_t i = from; i < shape.size(); ++i) result *= shape[i];
  return result;
}

/// Steps through all positions of a box in C order.
inline bool next(Shape& position, const Shape& box, std::size_t box_from) {
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
inline std::optional<std::int64_t> read_position(const Convolution& op, std::size_t axis,
                                                 std::int64_t at, std::int64_t k) {
  return at * op.stride[axis] + k * op.dilation[axis] - op.pad_begin[axis];
}

inline std::optional<std::int64_t> read_position(const TransposedConvolution& op, std::size_t axis,
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
inline void spread(const std::vector<SpatialTap>& taps, const Geometry& g, Taps& all) {
  all.clear();
  for (std::int64_t c = 0; c < g.in_per_group; ++c) {
    for (const SpatialTap& tap : taps) {
      all.add(c * g.in_plane + tap.plane - taps.front().plane, c * g.channel_step + tap.kernel);
    }
  }
}

inline bool same_pattern(const std::vector<SpatialTap>& a, const std::vector<SpatialTap>& b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i].kernel != b[i].kernel || a[i].plane - a[0].plane != b[i].plane - b[0].plane) {
      return false;
    }
  }
  return true;
}

/// Coordinates of a place in the planes of a value.
inline Shape coordinates(std::int64_t place, const Shape& shape) {
  Shape position(spatial_rank(shape));
  for (std::size_t i = position.size(); i-- > 0;) {
    position[i] = place % shape[i + 2];
    place /= shape[i + 2];
  }
  return position;
}

}  // namespace flipscope
