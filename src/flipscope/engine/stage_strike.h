// Struck weights and biases of a stage: golden sums, and what they change.
#pragma once

#include <cstddef>
#include <vector>

#include "flipscope/engine/workspace.h"

namespace flipscope {

/// Recomputes the struck rows of a stage whose input is golden, and notes those that differ.
/// `struck`: indices of the workspace's patches. False, with nothing done, where a constant other
/// than weights and biases is struck, or a sum could leave its bound.
bool strike_stage(Workspace& work, std::size_t stage, const std::vector<int>& struck);

}  // namespace flipscope
