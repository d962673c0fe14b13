// An exhaustive campaign as the judge of rankings.
#pragma once

#include <string>
#include <vector>

#include "flipscope/analysis/evaluation.h"

namespace flipscope {

/// What makes a bit sensitive: its score is worse than the golden one, or just another.
enum class Sensitive { worse, different };

/// Throws Error where the text is neither.
Sensitive parse_sensitive(const std::string& text);

/// The verdict of a store that holds every single-bit fault of its space. A change that is no
/// finite number counts as the largest finite one. Throws Error where faults are missing, or
/// several bits were struck at once.
Oracle read_oracle(const std::string& store, Sensitive sensitive);

/// The fault numbers that a ranking (or fault list) names, in its order. Throws Error with
/// file:line where it names a bit that the oracle does not know, or one twice.
std::vector<std::uint64_t> read_order(const std::string& ranking, const Oracle& oracle);

}  // namespace flipscope
