// Sets of elements, as ascending ranges that do not touch.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace flipscope {

/// Elements first … last − 1.
struct Range {
  std::int64_t first = 0;
  std::int64_t last = 0;

  bool operator==(const Range&) const = default;
};

using Ranges = std::vector<Range>;

/// Places in a plane, ascending; none means all of them.
using Positions = std::vector<std::int32_t>;

/// Adds a range that starts at or after the start of the set's last one.
inline void append(Ranges& set, Range more) {
  if (more.first >= more.last) return;
  if (!set.empty() && more.first <= set.back().last) {
    set.back().last = std::max(set.back().last, more.last);
  } else {
    set.push_back(more);
  }
}

inline Ranges united(const Ranges& a, const Ranges& b) {
  Ranges all;
  std::size_t i = 0, k = 0;
  while (i < a.size() || k < b.size()) {
    const bool from_a = k == b.size() || (i < a.size() && a[i].first <= b[k].first);
    append(all, from_a ? a[i++] : b[k++]);
  }
  return all;
}

/// Every block of `size` elements that the set meets, by number.
inline std::vector<std::int64_t> blocks_met(const Ranges& set, std::int64_t size) {
  std::vector<std::int64_t> met;
  for (const Range& range : set) {
    for (std::int64_t block = range.first / size; block * size < range.last; ++block) {
      if (met.empty() || met.back() < block) met.push_back(block);
    }
  }
  return met;
}

/// The places of planes of `plane` elements that the set meets, ascending.
inline Positions places_met(const Ranges& set, std::int64_t plane) {
  const bool whole = std::ranges::any_of(
      set, [plane](const Range& range) { return range.last - range.first >= plane; });
  std::vector<bool> met(plane, whole);
  if (!whole) {
    for (const Range& range : set) {
      for (std::int64_t i = range.first; i < range.last; ++i) met[i % plane] = true;
    }
  }
  Positions places;
  for (std::int64_t p = 0; p < plane; ++p) {
    if (met[p]) places.push_back(static_cast<std::int32_t>(p));
  }
  return places;
}

/// These places of some planes.
inline Ranges at_places(const std::vector<std::int64_t>& planes, std::int64_t size,
                        const Positions& places) {
  Ranges set;
  for (const std::int64_t plane : planes) {
    for (const std::int32_t p : places) append(set, {plane * size + p, plane * size + p + 1});
  }
  return set;
}

/// places_met(), or none where that is over half of them.
inline Positions positions_met(const Ranges& set, std::int64_t plane) {
  std::int64_t elements = 0;
  for (const Range& range : set) {
    elements += range.last - range.first;
    if (2 * (range.last - range.first) > plane) return {};
  }
  if (elements > 64 * plane) return {};
  Positions positions = places_met(set, plane);
  if (2 * std::ssize(positions) > plane) positions.clear();
  return positions;
}

}  // namespace flipscope
