// Bits that cannot be struck.
#include "flipscope/fault/protection.h"

#include <algorithm>

namespace flipscope {

ProtectedBits::ProtectedBits(const FaultSpace& space, const FaultSpace& whole,
                             const std::vector<FaultListEntry>& entries) {
  const std::vector<int> within = targets_within(space, whole);
  for (const FaultListEntry& entry : entries) {
    const int target = within[entry.site.target];
    if (target >= 0) sites_.push_back({target, entry.site.index, entry.site.bit});
  }
  std::ranges::sort(sites_);
  sites_.erase(std::unique(sites_.begin(), sites_.end()), sites_.end());
}

Fault ProtectedBits::strip(Fault fault) const {
  std::erase_if(fault.sites,
                [&](const FaultSite& site) { return std::ranges::binary_search(sites_, site); });
  return fault;
}

}  // namespace flipscope
