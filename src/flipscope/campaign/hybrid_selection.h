// --select hybrid:HEURISTIC[:REDUCTION][:AUDIT]: see analysis/hybrid.h.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "flipscope/fault/selection.h"
#include "flipscope/model/samples.h"

namespace flipscope {

/// Samples that the heuristic looks at: the first ones.
inline constexpr std::int64_t kHybridSamples = 64;

/// Faults that are audited unless said: so many, or a quarter of the space where that is fewer.
std::uint64_t default_audit(std::uint64_t space);

/// Scores all faults of the space on the first samples; that takes a while. Throws Error where the
/// heuristic is unknown, or names several.
std::vector<double> hybrid_scores(const Graph& graph, const Samples& samples,
                                  const FaultSpace& space, const std::string& heuristic);

/// First the audit's faults, then all others, the highest score first; its chooser ends the rows at
/// the bar. `space` must outlive it. `scores` are of the whole space.
std::unique_ptr<Selection> select_hybrid(const FaultSpace& space, FaultEffect effect,
                                         std::vector<double> scores, const std::string& heuristic,
                                         std::uint64_t audit, std::uint64_t seed);

}  // namespace flipscope
