#include "flipscope/engine/packed.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "flipscope/ops/index.h"

namespace flipscope {
namespace {

/// Calls f(i, n) for every stretch of lanes i … i + n − 1 of a plane that the places cover.
template <typename F>
void each_stretch(const PackedShape& shape, const Positions& positions, int lanes, F f) {
  if (positions.empty()) return f(std::int64_t{0}, shape.plane * lanes);
  for (std::int32_t p : positions) f(std::int64_t{p} * lanes, std::int64_t{lanes});
}

/// Codes as they lie in words, which others read whole: hence memcpy.
template <typename Stored>
bool pack_as(const PackedShape& shape, const float* numbers, std::int64_t first, std::int64_t last,
             const Positions& positions, int lanes, std::uint8_t* bytes) {
  constexpr std::int64_t kStored = sizeof(Stored);
  const std::int64_t plane = shape.plane * lanes;
  const int in_word = shape.in_word();
  const auto zero = static_cast<float>(shape.zero);
  const auto largest = static_cast<float>(code_count(shape.packing) - 1);
  const int offset = stored_offset(shape.packing);
  bool all_fit = true;
  for (std::int64_t c = first; c < last; ++c) {
    const float* from = numbers + c * plane;
    std::uint8_t* to = bytes + (c / in_word * plane * in_word + c % in_word) * kStored;
    each_stretch(shape, positions, lanes, [&](std::int64_t start, std::int64_t count) {
      for (std::int64_t i = start; i < start + count; ++i) {
        const float code = from[i] + zero;
        const bool fits = code >= 0 && code <= largest;
        all_fit = all_fit && fits;
        const auto stored = static_cast<Stored>(static_cast<int>(fits ? code : 0) + offset);
        std::memcpy(to + i * in_word * kStored, &stored, sizeof stored);
      }
    });
  }
  return all_fit;
}

template <typename Stored>
void unpack_from(const PackedShape& shape, const std::uint8_t* bytes, std::int64_t first,
                 std::int64_t last, const Positions& positions, int lanes, float* numbers) {
  constexpr std::int64_t kStored = sizeof(Stored);
  const std::int64_t plane = shape.plane * lanes;
  const int in_word = shape.in_word(), offset = shape.offset();
  for (std::int64_t c = first; c < last; ++c) {
    const std::uint8_t* from = bytes + (c / in_word * plane * in_word + c % in_word) * kStored;
    float* to = numbers + c * plane;
    each_stretch(shape, positions, lanes, [&](std::int64_t start, std::int64_t count) {
      for (std::int64_t i = start; i < start + count; ++i) {
        Stored stored;
        std::memcpy(&stored, from + i * in_word * kStored, sizeof stored);
        to[i] = static_cast<float>(static_cast<int>(stored) - offset);
      }
    });
  }
}

}  // namespace

std::optional<PackedShape> packed_shape(const Value& value, bool meets_wide_weights) {
  const NumberFormat& format = value.encoding.format;
  if (!value.holds_codes || value.encoding.zero_point.size() != 1) return {};
  if (value.shape.size() < 2 || value.shape[0] != 1) return {};
  if (format.kind != NumberFormat::Kind::integer && format.kind != NumberFormat::Kind::bipolar) {
    return {};
  }
  // A struck code may be any word of the format, also one that the quantizer never gives.
  NumberFormat whole = format;
  whole.narrow = false;
  const double zero = value.encoding.zero_point[0];
  const double low = lowest(whole) - zero, high = highest(whole) - zero;
  const double most = std::max(high, high - low);
  const double largest = std::max(std::abs(low), std::abs(high));
  if (most >= code_count(Packing::halves) || low != std::nearbyint(low) || largest > 0x1p24) {
    return {};
  }
  const bool fits_bytes = most < code_count(Packing::bytes) && !meets_wide_weights;
  return PackedShape{.packing = fits_bytes ? Packing::bytes : Packing::halves,
                     .channels = value.shape[1],
                     .plane = strides_of(value.shape)[1],
                     .zero = static_cast<int>(std::max(0.0, -low)),
                     .largest = largest};
}

bool pack_channels(const PackedShape& shape, const float* numbers, std::int64_t first,
                   std::int64_t last, const Positions& positions, int lanes, std::uint8_t* bytes) {
  const auto pack =
      shape.packing == Packing::bytes ? &pack_as<std::uint8_t> : &pack_as<std::int16_t>;
  return pack(shape, numbers, first, last, positions, lanes, bytes);
}

void unpack_channels(const PackedShape& shape, const std::uint8_t* bytes, std::int64_t first,
                     std::int64_t last, const Positions& positions, int lanes, float* numbers) {
  const auto unpack =
      shape.packing == Packing::bytes ? &unpack_from<std::uint8_t> : &unpack_from<std::int16_t>;
  unpack(shape, bytes, first, last, positions, lanes, numbers);
}

}  // namespace flipscope
