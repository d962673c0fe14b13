#include "flipscope/engine/stage.h"

#include <algorithm>
#include <iterator>

namespace flipscope {

Stage::Place Stage::place_of(std::int64_t element) const {
  if (source.empty()) {
    const std::int64_t own = in.channels / parts, row = element / (own * kernel);
    const std::int64_t first = row / (channels / parts) * own;
    return {row, first + element % (own * kernel) / kernel, element % kernel};
  }
  const std::int64_t from = source[element / channels];
  return {element % channels, from / in.plane, from % in.plane};
}

void Stage::write_numbers(std::int64_t row, const Range& positions, const std::int32_t* sums,
                          int lanes, float* numbers) const {
  const double scale = rescale[rescale.size() == 1 ? 0 : row];
  float* to = numbers + row * plane * lanes;
  for (std::int64_t i = positions.first * lanes; i < positions.last * lanes; ++i) {
    to[i] = static_cast<float>(static_cast<double>(sums[i]) * scale);
  }
}

const Band& Stage::band_of(std::int64_t row) const {
  return *std::prev(std::ranges::upper_bound(bands, row, {}, &Band::row));
}

Positions Stage::affected(const Positions& places) const {
  if (places.empty()) return {};
  Positions positions;
  for (std::int32_t place : places) {
    positions.insert(positions.end(), read_by.begin() + read_from[place],
                     read_by.begin() + read_from[place + 1]);
  }
  std::sort(positions.begin(), positions.end());
  positions.erase(std::unique(positions.begin(), positions.end()), positions.end());
  if (2 * std::ssize(positions) > plane) positions.clear();
  return positions;
}

}  // namespace flipscope
