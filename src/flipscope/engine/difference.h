// How a difference passes a node: which outputs can change, and their new values.
//
// The verbs `affected`, `forward_at` and `delta` of every operator, over sets of elements.
// Operators that treat each element or channel on its own recompute what changed; exact sums of
// codes add the change to the golden sum where that is less work than the sum; everything else is
// recomputed.
#pragma once

#include "flipscope/engine/workspace.h"

namespace flipscope {

/// Recomputes the output of `node` where its changed inputs and the workspace's patches can reach
/// it, and notes what differs. `struck`: indices of the workspace's patches that the node reads.
void pass_difference(Workspace& work, int node, const std::vector<int>& struck);

/// Computes element `output` of a weighted node's output into `out` [element][lane]; the same
/// element of other batch elements or rows may be written too.
void forward_output(const Node& node, const std::vector<View<float>>& inputs,
                    const Shape& out_shape, std::int64_t output, float* out, int lanes);

}  // namespace flipscope
