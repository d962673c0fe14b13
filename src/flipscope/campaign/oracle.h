// A campaign as the judge of rankings.
#pragma once

#include <string>
#include <vector>

#include "flipscope/analysis/evaluation.h"

namespace flipscope {

/// What makes a bit sensitive: its score is worse than the golden one, or just another.
enum class Sensitive { worse, different };

/// Throws Error where the text is neither.
Sensitive parse_sensitive(const std::string& text);

/// The verdict of a campaign that ran every single-bit fault of its space, or a random sample of
/// them, to its end. A change that is no finite number counts as the largest finite one. Throws
/// Error in the name of `verb` where faults are missing, chosen in another way, or several bits
/// were struck at once.
Oracle read_oracle(const std::string& store, Sensitive sensitive, const char* verb = "evaluate");

/// The same. Throws Error where it is a sample.
Oracle read_complete_oracle(const std::string& store, Sensitive sensitive,
                            const char* verb = "evaluate");

/// The oracle's bits that a ranking (or fault list) names, in its order; of a sample, bits that
/// were not drawn are passed over. Throws Error with file:line where it names a bit outside the
/// oracle's space, or one twice.
std::vector<std::uint64_t> read_order(const std::string& ranking, const Oracle& oracle,
                                      const char* verb = "evaluate");

}  // namespace flipscope
