// A fault: a set of stored bits, and what happens to them.
#pragma once

#include <cstdint>
#include <vector>

namespace flipscope {

/// One stored bit: `target` is an index into FaultSpace::targets(), `index` the flat C-order
/// element of it, `bit` counts from 0 = least significant.
struct FaultSite {
  int target = 0;
  std::int64_t index = 0;
  int bit = 0;

  auto operator<=>(const FaultSite&) const = default;
};

enum class FaultEffect { flip, stuck_at_0, stuck_at_1 };

/// A set of distinct sites struck together, sorted.
struct Fault {
  FaultEffect effect = FaultEffect::flip;
  std::vector<FaultSite> sites;
};

}  // namespace flipscope
