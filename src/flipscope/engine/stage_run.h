// A difference passes a stage: packed codes in, packed codes or numbers out.
#pragma once

#include <cstdint>
#include <vector>

#include "flipscope/engine/stage.h"
#include "flipscope/engine/workspace.h"

namespace flipscope {

/// Recomputes a stage's output where its changed input or the struck weights can reach it, and
/// notes what differs. `struck`: indices of the workspace's patches that the stage's nodes read.
/// False, with nothing done, where the stage cannot serve: packed codes are missing, both input and
/// constants changed, or a constant other than weights and biases did.
bool pass_stage(Workspace& work, std::size_t stage, const std::vector<int>& struck);

/// All sums of a stage, [row][position][lane], of a whole packed input.
void sum_stage(const Stage& stage, const std::uint8_t* input, int lanes, std::int32_t* sums);

}  // namespace flipscope
