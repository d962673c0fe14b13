// What flips do to their own layer, exactly, and how far that moves the outputs.
//
// A flipped weight moves the sums of one output channel by Δ·x. What follows element by element
// (normalization, activation, quantizer) is applied to the moved sums as it is, so that units which
// a flip wakes, saturates or leaves below a rounding step are seen as they are: derivatives at the
// golden values cannot see them. The change d of the layer's output then moves the outputs by J·d.
// Of a classifier with at most 32 classes J·d is computed, row by row, and the score is how far the
// answer goes (Loss::answer_moved): a softmax saturates, so that derivatives at a sure answer see
// no flip that overturns it. Else the move is taken in the loss's own measure, ½·dᵀGd with the
// Gauss-Newton matrix G = Jᵀ·(Hessian of the loss with respect to the outputs)·J, which random
// probes q of covariance G estimate: mean of (q·d)². The slope of the loss is left out: over
// samples its signs cancel, while the moves add up.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "flipscope/analysis/kept_steps.h"
#include "flipscope/engine/backward.h"
#include "flipscope/fault/fault_space.h"

namespace flipscope {

/// One word's flips: what each adds to the word's value.
struct WordFlips {
  std::int64_t word = 0;                ///< its number as a parameter
  std::vector<double> change;           ///< of each flip
  std::vector<std::uint64_t> position;  ///< where each flip's score goes
};

/// Writes, for flips of words that weighted layers read as weights or biases, the mean over samples
/// of that to `score`; returns the words that are read elsewhere, whose scores are left alone.
/// What the samples add up to is kept a few times; `progress` is called after each block of them.
/// Results do not depend on threads.
std::vector<WordFlips> score_locally(const Objective& objective, std::vector<WordFlips> flips,
                                     std::int64_t probes, std::uint64_t seed,
                                     std::vector<double>& score, const KeptSteps& kept,
                                     const std::function<void(std::uint64_t)>& progress);

}  // namespace flipscope
