// Bits by the trace of the Hessian of the network with this bit flipped, over several sittings.
#pragma once

#include "differentiation.h"

namespace flipscope::cli {

/// The ranking by Metric::trace. The scores of each bit position of each tensor are kept in
/// `checkpoint` (empty: nowhere) as they are done, and are taken from there; the caller removes it.
Ranking rank_by_traces(const Differentiation& problem, const RankOptions& options,
                       const Options& asked, ProductCounter& counter,
                       const std::string& checkpoint);

}  // namespace flipscope::cli
