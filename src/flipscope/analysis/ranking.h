// Rankings: the bits of a fault space in the order in which they should be looked at.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "flipscope/fault/fault_space.h"

namespace flipscope {

struct RankedBit {
  FaultSite site;
  double score = 0;  ///< what the order comes from: of the bit, or of the word that it belongs to
};

using Ranking = std::vector<RankedBit>;

/// From a score per word (targets end to end, elements in C order): all most significant bits by
/// score, then all second ones, and so on; words of several widths align at the most significant
/// bit (FKeras). Ties keep the order of the fault space, NaN goes before everything.
Ranking rank_words(const FaultSpace& space, const std::vector<double>& score);

/// From a score per bit, as the fault space numbers them, the largest first, NaN before everything.
/// Ties go by `tie` in the same way, if given, and then keep the order of the fault space.
Ranking rank_bits(const FaultSpace& space, const std::vector<double>& score,
                  const std::vector<double>& tie = {});

/// Every order equally likely; all scores are 0.
Ranking random_ranking(const FaultSpace& space, std::uint64_t seed);

/// rank,layer,tensor,index,bit,score as CSV, ranks from 0: a fault list to --select ranking:FILE.
/// An empty path is standard output.
void write_ranking(const FaultSpace& space, const Ranking& ranking, const std::string& out);

}  // namespace flipscope
