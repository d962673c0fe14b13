// What analyses and injection campaigns cost, in simulations: forward passes of the whole batch.
#pragma once

#include <cstdint>
#include <vector>

#include "flipscope/analysis/vulnerability.h"

namespace flipscope {

struct SimulationCounts {
  std::uint64_t exhaustive = 0;  ///< one for each bit of the analysed kinds
  /// Statistical injection with margin 1%, confidence 95%, p = 0.5, n summed before rounding: from
  /// every layer, and from every bit position of every layer (data-unaware).
  std::uint64_t by_layer = 0, by_bit = 0;
};

/// Of all layers of a kind.
SimulationCounts simulation_counts(const Graph& graph, const std::vector<LayerSample>& layers,
                                   FaultKind kind);

}  // namespace flipscope
