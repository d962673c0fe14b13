// Decisions of classifiers: the largest output, ties to the lowest index, everywhere.
//
// Outputs come as blocks [value][lane]: output value v of the sample in lane l is out[v·lanes + l].
#pragma once

#include <cstdint>

namespace flipscope {

/// Lanes are handled in groups of at most this many; a block may have any number of lanes.
inline constexpr int kDecisionLanes = 64;

/// decision[l] = the lowest index whose output is the largest. NaN is never the largest; where no
/// output is above −∞ the decision is 0.
void decide(const float* out, int values, int lanes, std::int32_t* decision);

/// inside[l] = 1 where output label[l] is among the k largest, else 0. Of equal outputs those with
/// lower indices come first, and NaN comes last. Labels are in 0 … values − 1.
void among_top(const float* out, int values, int lanes, const std::int32_t* label, int k,
               std::uint8_t* inside);

/// broken[l] = 1 where an output is NaN or infinite, else 0.
void find_non_finite(const float* out, int values, int lanes, std::uint8_t* broken);

}  // namespace flipscope
