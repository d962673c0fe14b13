// The least of many sums, which a search for the cheapest arc asks for again and again.
#pragma once

#include <cstdint>

namespace flipscope {

/// min over i of a[i] + b[i]; ∞ where count is 0. No number may be NaN. A minimum depends on no
/// order, so the result is the same on every instruction set (but for the sign of a zero).
double least_sum(const double* a, const double* b, std::int64_t count);

}  // namespace flipscope
