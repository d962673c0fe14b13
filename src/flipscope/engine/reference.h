// The judge: a slow, obvious interpreter of the lowered graph, one sample at a time.
#pragma once

#include <span>
#include <vector>

#include "flipscope/fault/fault.h"
#include "flipscope/fault/fault_space.h"
#include "flipscope/model/graph.h"

namespace flipscope {

/// Every value of the graph for one sample: [value][element]. With a fault, the struck words are
/// changed where they are stored. `input` has the elements of the graph's only input.
std::vector<std::vector<float>> run_reference(const Graph& graph, std::span<const float> input,
                                              const FaultSpace* space = nullptr,
                                              const Fault* fault = nullptr);

}  // namespace flipscope
