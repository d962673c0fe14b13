#include "flipscope/ops/convolution_tiles.h"

#include <algorithm>
#include <vector>

#include "flipscope/ops/convolution_geometry.h"
#include "flipscope/ops/kernels.h"

namespace flipscope {
namespace {

// 132 rows × 32 positions × 64 lanes of sums take 1 MiB, 132 rows of 96 weights 50 KiB: both stay
// in a second-level cache of 2 MiB. The kernel takes six rows at a time.
constexpr std::int64_t kTileRows = 132;
constexpr std::int64_t kTilePositions = 32;
constexpr std::int64_t kTileTaps = 96;

/// Positions that read their planes through the same taps, relative to the first of them.
struct Pattern {
  std::vector<SpatialTap> taps;
  Taps all;  ///< over the input channels of a stretch
};

struct Place {
  std::int64_t at = 0;      ///< in the output's planes
  std::int64_t anchor = 0;  ///< where the first tap reads the input's planes
  std::size_t pattern = 0;
};

/// One group of one batch element.
struct TileRun {
  std::span<const View<float>> inputs;
  const Geometry& g;
  float* out;
  int lanes;
  const std::vector<Pattern>& patterns;
  std::int64_t batch, group;

  /// Input channels [channel, channel + channels) of the group into rows [from, to) at a place.
  void add(const Place& place, std::int64_t channel, std::int64_t channels, std::int64_t from,
           std::int64_t to) const {
    const Pattern& pattern = patterns[place.pattern];
    const bool begins = channel == 0;
    if (!begins && pattern.taps.empty()) return;
    const bool has_bias = begins && inputs.size() > 2 && inputs[2].shape;
    const std::int64_t plane = batch * g.in_channels + group * g.in_per_group + channel;
    float* const sums = out + ((batch * g.out_channels + from) * g.out_plane + place.at) * lanes;
    dot_rows(DotRows<float>{.x = inputs[0].data + (plane * g.in_plane + place.anchor) * lanes,
                            .element = pattern.all.element.data(),
                            .weights = inputs[1].data + group * g.group_step +
                                       (from - group * g.out_per_group) * g.row_step +
                                       channel * g.channel_step,
                            .weight = pattern.all.weight.data(),
                            .row_step = g.row_step,
                            .taps = channels * std::ssize(pattern.taps),
                            .bias = has_bias ? inputs[2].data + from : nullptr,
                            .start = begins ? nullptr : sums,
                            .rows = to - from,
                            .out = sums,
                            .out_step = g.out_plane * lanes,
                            .lanes = lanes});
  }
};

}  // namespace

bool runs_in_tiles(const Convolution& op, std::span<const View<float>> inputs, int lanes,
                   std::int64_t rows) {
  const Shape& w = *inputs[1].shape;
  const bool plain = inputs[1].constant && !inputs[0].constant &&
                     (inputs.size() < 3 || !inputs[2].shape || inputs[2].constant);
  return plain && op.accumulation.carrier == Carrier::float32 && op.accumulation.rescale.empty() &&
         lanes % kLaneGroup == 0 && rows / op.groups >= 12 && w[1] * product(w, 2) > kTileTaps;
}

void run_in_tiles(const Convolution& op, std::span<const View<float>> inputs, const Shape& y,
                  float* out, int lanes, std::span<const std::int32_t> positions,
                  std::int64_t first, std::int64_t last) {
  const Shape &x = *inputs[0].shape, &w = *inputs[1].shape;
  const Geometry g = geometry(op, x, w, y);
  std::vector<Pattern> patterns;
  std::vector<Place> places;
  std::vector<SpatialTap> taps;
  std::size_t longest = 1;
  for (const std::int32_t at : positions) {
    spatial_taps(op, x, w, coordinates(at, y), taps);
    std::size_t p = 0;
    while (p < patterns.size() && !same_pattern(patterns[p].taps, taps)) ++p;
    if (p == patterns.size()) patterns.push_back({taps, {}});
    places.push_back({at, taps.empty() ? 0 : taps.front().plane, p});
    longest = std::max(longest, taps.size());
  }
  const std::int64_t stretch =
      std::max<std::int64_t>(1, kTileTaps / static_cast<std::int64_t>(longest));
  Geometry part = g;
  part.in_per_group = std::min(stretch, g.in_per_group);
  for (Pattern& pattern : patterns) {
    if (!pattern.taps.empty()) spread(pattern.taps, part, pattern.all);
  }
  const auto count = static_cast<std::int64_t>(places.size());
  for (std::int64_t n = 0; n < g.batch; ++n) {
    for (std::int64_t group = first / g.out_per_group; group * g.out_per_group < last; ++group) {
      const TileRun run{inputs, g, out, lanes, patterns, n, group};
      const std::int64_t begin = std::max(first, group * g.out_per_group);
      const std::int64_t end = std::min(last, (group + 1) * g.out_per_group);
      for (std::int64_t p = 0; p < count; p += kTilePositions) {
        const std::int64_t p_end = std::min(p + kTilePositions, count);
        for (std::int64_t row = begin; row < end; row += kTileRows) {
          const std::int64_t row_end = std::min(row + kTileRows, end);
          for (std::int64_t c = 0; c < g.in_per_group; c += stretch) {
            const std::int64_t channels = std::min(stretch, g.in_per_group - c);
            for (std::int64_t k = p; k < p_end; ++k) run.add(places[k], c, channels, row, row_end);
          }
        }
      }
    }
  }
}

}  // namespace flipscope
