#include "flipscope/engine/packed.h"

namespace flipscope {

bool pack_channels(const PackedShape& shape, const float* numbers, std::int64_t first,
                   std::int64_t last, int lanes, std::uint8_t* bytes) {
  const std::int64_t plane = shape.plane * lanes;
  const auto offset = static_cast<float>(shape.byte_offset);
  bool all_bytes = true;
  for (std::int64_t c = first; c < last; ++c) {
    const float* from = numbers + c * plane;
    std::uint8_t* to = bytes + c / kPack * plane * kPack + c % kPack;
    for (std::int64_t i = 0; i < plane; ++i) {
      const float byte = from[i] + offset;
      const bool fits = byte >= 0 && byte <= 255;
      all_bytes = all_bytes && fits;
      to[i * kPack] = static_cast<std::uint8_t>(fits ? byte : 0);
    }
  }
  return all_bytes;
}

void unpack_channels(const PackedShape& shape, const std::uint8_t* bytes, std::int64_t first,
                     std::int64_t last, int lanes, float* numbers) {
  const std::int64_t plane = shape.plane * lanes;
  for (std::int64_t c = first; c < last; ++c) {
    const std::uint8_t* from = bytes + c / kPack * plane * kPack + c % kPack;
    float* to = numbers + c * plane;
    for (std::int64_t i = 0; i < plane; ++i) {
      to[i] = static_cast<float>(static_cast<int>(from[i * kPack]) - shape.byte_offset);
    }
  }
}

}  // namespace flipscope
