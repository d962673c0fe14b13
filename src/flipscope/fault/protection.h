// Bits that cannot be struck (--protect): a fault there does nothing.
#pragma once

#include <cstdint>
#include <vector>

#include "flipscope/fault/fault_list.h"
#include "flipscope/fault/fault_space.h"

namespace flipscope {

/// A set of sites of one fault space.
class ProtectedBits {
 public:
  ProtectedBits() = default;

  /// Entries are sites of `whole`; those outside `space` are struck by no fault, and left out.
  ProtectedBits(const FaultSpace& space, const FaultSpace& whole,
                const std::vector<FaultListEntry>& entries);

  /// The fault without its protected sites.
  Fault strip(Fault fault) const;

  std::size_t size() const { return sites_.size(); }

 private:
  std::vector<FaultSite> sites_;  ///< ascending
};

}  // namespace flipscope
