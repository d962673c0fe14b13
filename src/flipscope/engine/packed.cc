#include "flipscope/engine/packed.h"

namespace flipscope {
namespace {

/// Calls f(i, n) for every stretch of lanes i … i + n − 1 of a plane that the places cover.
template <typename F>
void each_stretch(const PackedShape& shape, const Positions& positions, int lanes, F f) {
  if (positions.empty()) return f(std::int64_t{0}, shape.plane * lanes);
  for (std::int32_t p : positions) f(std::int64_t{p} * lanes, std::int64_t{lanes});
}

}  // namespace

bool pack_channels(const PackedShape& shape, const float* numbers, std::int64_t first,
                   std::int64_t last, const Positions& positions, int lanes, std::uint8_t* bytes) {
  const std::int64_t plane = shape.plane * lanes;
  const auto offset = static_cast<float>(shape.byte_offset);
  bool all_bytes = true;
  for (std::int64_t c = first; c < last; ++c) {
    const float* from = numbers + c * plane;
    std::uint8_t* to = bytes + c / kPack * plane * kPack + c % kPack;
    each_stretch(shape, positions, lanes, [&](std::int64_t start, std::int64_t count) {
      for (std::int64_t i = start; i < start + count; ++i) {
        const float byte = from[i] + offset;
        const bool fits = byte >= 0 && byte <= 255;
        all_bytes = all_bytes && fits;
        to[i * kPack] = static_cast<std::uint8_t>(fits ? byte : 0);
      }
    });
  }
  return all_bytes;
}

void unpack_channels(const PackedShape& shape, const std::uint8_t* bytes, std::int64_t first,
                     std::int64_t last, const Positions& positions, int lanes, float* numbers) {
  const std::int64_t plane = shape.plane * lanes;
  for (std::int64_t c = first; c < last; ++c) {
    const std::uint8_t* from = bytes + c / kPack * plane * kPack + c % kPack;
    float* to = numbers + c * plane;
    each_stretch(shape, positions, lanes, [&](std::int64_t start, std::int64_t count) {
      for (std::int64_t i = start; i < start + count; ++i) {
        to[i] = static_cast<float>(static_cast<int>(from[i * kPack]) - shape.byte_offset);
      }
    });
  }
}

}  // namespace flipscope
