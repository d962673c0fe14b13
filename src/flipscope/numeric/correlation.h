// Rank correlation.
#pragma once

#include <span>
#include <vector>

namespace flipscope {

/// Ranks from 1, ascending; equal values share the mean of theirs. NaN is not allowed.
std::vector<double> average_ranks(std::span<const double> values);

/// Spearman's ρ: the correlation of average ranks. NaN where either side is constant or empty.
double spearman(std::span<const double> a, std::span<const double> b);

}  // namespace flipscope
