// What a ranking by derivatives keeps, so that the same command goes on after an interruption.
#pragma once

#include "differentiation.h"
#include "flipscope/campaign/chunk_log.h"

namespace flipscope::cli {

/// Of all that scores depend on, but for how the ranking is written.
std::string rank_identity(const Differentiation& problem, const RankOptions& options,
                          const Options& asked);

/// Steps kept in the file, which must outlive them.
KeptSteps steps_in(ChunkLog& log);

}  // namespace flipscope::cli
