// The Pareto front: what nothing else beats in every respect.
#pragma once

#include <vector>

namespace flipscope {

/// rows[i] holds what row i costs, less is better; NaN where it is not known, which then counts for
/// neither side. [i]: no other row costs no more in everything and less in something.
std::vector<bool> pareto_front(const std::vector<std::vector<double>>& rows);

}  // namespace flipscope
