// --select hybrid:HEURISTIC[:REDUCTION][:AUDIT]: see analysis/hybrid.h.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "flipscope/campaign/campaign.h"
#include "flipscope/fault/selection.h"
#include "flipscope/model/samples.h"

namespace flipscope {

/// Samples that the heuristic looks at: the first ones.
inline constexpr std::int64_t kHybridSamples = 64;

/// Faults that are audited unless said: a twentieth of the space, at least 8,000, at most a
/// quarter.
std::uint64_t default_audit(std::uint64_t space);

/// Priorities of all faults of the space, by the first samples; that takes a while, on
/// `options.threads`, and `options.scoring` hears of it. Throws Error where the heuristic is
/// unknown, or names several; Interrupted once `stop` is set, if it is given.
std::vector<double> hybrid_priorities(const Graph& graph, const Samples& samples,
                                      const FaultSpace& space, const std::string& heuristic,
                                      const CampaignOptions& options,
                                      const std::atomic<bool>* stop);

/// First the audit's faults, then all others, the highest priority first; its chooser ends the rows
/// at the bar. `space` must outlive it. `priorities` are of the whole space.
std::unique_ptr<Selection> select_hybrid(const FaultSpace& space, FaultEffect effect,
                                         std::vector<double> priorities,
                                         const std::string& heuristic, std::uint64_t audit,
                                         std::uint64_t seed);

}  // namespace flipscope
