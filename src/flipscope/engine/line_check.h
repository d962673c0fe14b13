// Whether a run lies on one straight line with the golden run.
//
// Between a golden value and a perturbed one lie all smaller perturbations. Affine operators keep
// them on a line; a ReLU, a clip or a maximum does where golden and perturbed values take the same
// piece of it (pieces are convex); any other monotone function does where its output is the same
// at both ends, and so in between. Where all of that holds down to the output, the outputs of
// smaller perturbations lie between the two, up to the rounding of float32.
#pragma once

#include <cstdint>
#include <vector>

#include "flipscope/engine/workspace.h"

namespace flipscope {

/// Sets on[lane] to 0 where `node`, whose output has been computed, may leave the line.
void keep_lines(Workspace& work, const Node& node, std::vector<std::uint8_t>& on);

/// Sets on[lane] to 0 where the value differs from the golden one.
void keep_unchanged(Workspace& work, int value, std::vector<std::uint8_t>& on);

/// The value whose order is the decision: the graph's output, or the input of a softmax over all of
/// it.
int decision_input(const Graph& graph);

}  // namespace flipscope
