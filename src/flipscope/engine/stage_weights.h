// How the constants of a stage lie: weights in words, biases in what sums begin with.
#pragma once

#include "flipscope/ops/packed_kernels.h"

namespace flipscope {

struct Program;
struct Stage;

/// The lowest signed code of a weight, by the packing of what it meets.
double lowest_weight(Packing packing);

/// Lays out the weights, biases and taps of a stage whose geometry (`in`, `channels`, `plane`,
/// `kernel`, `parts`, `reads`, `source`) is known, and bounds its sums. False where a weight has no
/// place in a word, a bias is no whole number, or a sum may leave 32 bits.
bool pack_weights(const Program& program, Stage& stage);

}  // namespace flipscope
