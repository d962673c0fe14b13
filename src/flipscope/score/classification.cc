// Decisions of classifiers, with lanes innermost so that they vectorize.
#include "flipscope/score/classification.h"

#include <algorithm>
#include <array>
#include <bit>
#include <limits>

namespace flipscope {
namespace {

/// Calls group(first lane, lanes in the group) for every group of lanes.
template <typename Group>
void for_lane_groups(int lanes, Group group) {
  for (int first = 0; first < lanes; first += kDecisionLanes) {
    group(first, std::min(kDecisionLanes, lanes - first));
  }
}

}  // namespace

void decide(const float* out, int values, int lanes, std::int32_t* decision) {
  for_lane_groups(lanes, [&](int first, int count) {
    std::array<float, kDecisionLanes> best;
    std::array<std::int32_t, kDecisionLanes> index{};
    best.fill(-std::numeric_limits<float>::infinity());
    for (int v = 0; v < values; ++v) {
      const float* row = out + static_cast<std::ptrdiff_t>(v) * lanes + first;
      for (int l = 0; l < count; ++l) {
        const bool larger = row[l] > best[l];
        best[l] = larger ? row[l] : best[l];
        index[l] = larger ? v : index[l];
      }
    }
    std::copy_n(index.begin(), count, decision + first);
  });
}

void among_top(const float* out, int values, int lanes, const std::int32_t* label, int k,
               std::uint8_t* inside) {
  for (int l = 0; l < lanes; ++l) {
    const auto at = [&](int v) { return out[static_cast<std::ptrdiff_t>(v) * lanes + l]; };
    const float own = at(label[l]);
    const bool is_number = own == own;
    int before = 0;
    for (int v = 0; v < values; ++v) {
      const float x = at(v);
      const bool tie = x == own || (x != x && !is_number);
      before += (x > own || (x == x && !is_number) || (tie && v < label[l])) ? 1 : 0;
    }
    inside[l] = before < k ? 1 : 0;
  }
}

void find_non_finite(const float* out, int values, int lanes, std::uint8_t* broken) {
  constexpr std::uint32_t kExponent = 0x7f800000;
  for_lane_groups(lanes, [&](int first, int count) {
    std::array<std::uint32_t, kDecisionLanes> any{};
    for (int v = 0; v < values; ++v) {
      const float* row = out + static_cast<std::ptrdiff_t>(v) * lanes + first;
      for (int l = 0; l < count; ++l) {
        any[l] |= (std::bit_cast<std::uint32_t>(row[l]) & kExponent) == kExponent ? 1u : 0u;
      }
    }
    for (int l = 0; l < count; ++l) broken[first + l] = static_cast<std::uint8_t>(any[l]);
  });
}

}  // namespace flipscope
