// Fault models: what strikes together, and what it does to a bit.
#pragma once

#include <string>

#include "flipscope/fault/fault.h"

namespace flipscope {

struct FaultModel {
  enum class Kind {
    single,  ///< one bit
    burst,   ///< `count` adjacent bits of one word
    multi,   ///< `count` distinct bits of the fault space
    rate,    ///< every bit of the fault space with probability `probability`
  };
  Kind kind = Kind::single;
  FaultEffect effect = FaultEffect::flip;
  int count = 1;
  double probability = 0;

  /// A row is a trial, not a site: its site columns stay empty.
  bool is_trial() const { return kind != Kind::single; }
  bool operator==(const FaultModel&) const = default;
};

/// "bit-flip", "stuck-at-0", "stuck-at-1", "burst:K", "multi:K", "rate:P" with 0 < P ≤ 1. Throws
/// Error where the text is none of them.
FaultModel parse_fault_model(const std::string& text);

}  // namespace flipscope
