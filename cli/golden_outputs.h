// The fault-free outputs of a network on all samples.
#pragma once

#include <cstdint>
#include <vector>

#include "flipscope/campaign/campaign.h"
#include "flipscope/engine/program.h"

namespace flipscope::cli {

/// Outputs [sample][value], C order of the graph's (first) output, of `count` inputs
/// [sample][value]; `threads` 0: all cores. The result does not depend on the number of threads.
std::vector<float> golden_outputs(const Program& program, const float* inputs, std::int64_t count,
                                  int threads, const Progress& progress);

/// The samples among `chosen` on which the reference interpreter, the slow judge, gives other bits
/// than `outputs`.
std::vector<std::uint64_t> differing_from_reference(const Graph& graph, const Samples& samples,
                                                    const std::vector<float>& outputs,
                                                    const std::vector<std::uint64_t>& chosen,
                                                    int threads);

}  // namespace flipscope::cli
