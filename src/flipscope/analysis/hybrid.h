// The hybrid campaign: a heuristic decides which faults need an exact run, and a random audit says
// what the others may hide.
//
// A fault's priority is its score by the work that its exact run may take: the multiply-adds from
// its slice to the output. The audit, faults drawn at random from all, is run first. Its first half
// sets the bar: the highest priority below which lies no more than kLeft of its critical share.
// Faults that reach the bar are then run. The other half, which the bar knows nothing of, is a
// random sample of the faults below it; by its shares the error that is left, the critical rate of
// what is not run, gets Wilson's interval with n = faults, without replacement.
#pragma once

#include <cstdint>
#include <vector>

#include "flipscope/analysis/slice.h"
#include "flipscope/numeric/interval.h"

namespace flipscope {

/// One audited fault: its priority, and the share of samples on which it is critical.
struct Audited {
  double priority = 0, share = 0;
};

struct HybridRules {
  static constexpr double kLeft = 0.05;  ///< of the critical share, in the calibrating half
  static constexpr double kConfidence = 0.95;
};

/// The bar that the calibrating half sets; faults of this priority or more are run. Infinite where
/// no fault of it is critical on any sample.
double choose_bar(const std::vector<Audited>& calibration);

/// What is not run, and what that leaves: critical rates over the whole space, the mean over all
/// faults of their critical shares, counting nothing but the faults that were not run.
struct HybridError {
  std::uint64_t left_out = 0;  ///< faults that are not run
  double stated = 0;
  Interval interval;
};

/// `below`: the shares of the faults of the second half that lie below the bar; `candidates`: all
/// faults below it but those of the first half, so that `below` is a random part of them.
HybridError left_error(const std::vector<double>& below, std::uint64_t candidates,
                       std::uint64_t space);

/// [slice] multiply-adds of one sample in weighted layers, from the slice to the output.
std::vector<double> exact_work(const Graph& graph, const Slicing& slicing);

/// A hybrid campaign played from known shares.
struct HybridReplay {
  std::vector<char> ran;  ///< [fault] 1 where it is run exactly, the audit included
  HybridError error;
  double actual = 0;     ///< the error that is really left
  bool covered = false;  ///< the interval holds it
};

/// `priority` and `share` are of all faults of the space; the audit is drawn by `seed`.
HybridReplay replay_hybrid(const std::vector<double>& priority, const std::vector<double>& share,
                           std::uint64_t audit, std::uint64_t seed);

/// `count` distinct numbers below `population` in random order: the audit of a campaign.
std::vector<std::uint64_t> draw_audit(std::uint64_t population, std::uint64_t count,
                                      std::uint64_t seed);

}  // namespace flipscope
