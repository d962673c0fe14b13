// Inflection points: the bit of each word above which flips matter, found as BinFI finds it (Chen
// et al., SC'19), and a ranking of bits by how far above it they lie.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "flipscope/fault/fault_space.h"
#include "flipscope/model/graph.h"

namespace flipscope {

/// For each bit of the space how many positions it lies above the lowest bit that matters in its
/// word (0: that bit itself; negative: below). The flips that raise it and those that lower it are
/// searched apart, as changes of either sign are monotone on their own; where none matters, the
/// boundary lies above the word. `matters` says of each fault of the space whether it does.
std::vector<double> heights_above_inflection(const Graph& graph, const FaultSpace& space,
                                             const std::function<bool(std::uint64_t)>& matters);

}  // namespace flipscope
