// What other methods of choosing bits would have found: BinFI's search and StatFI's samples,
// replayed on an exhaustive campaign. (The setting is that of FKeras: Weng et al., ACM JATS 2024.)
#pragma once

#include <cstdint>

#include "flipscope/analysis/evaluation.h"
#include "flipscope/fault/selection.h"
#include "flipscope/fault/statistical.h"

namespace flipscope {

/// BinFI: words in storage order, each searched for the lowest bit that is critical, here:
/// sensitive by the oracle. Known are the bits that were flipped; with `implied` also those that
/// the search then takes for critical. Throws Error where `separate` has no stored words to go by.
Trace replay_binary_search(const Oracle& oracle, SearchKind kind, bool implied);

/// The number of bits that a search takes for critical without a flip, and that are not sensitive.
std::uint64_t wrongly_implied(const Oracle& oracle, const Trace& implied);

/// StatFI: the sample that `inject --select statistical` draws, most significant bits first, words
/// in storage order. Throws Error where `aware` has no stored words to go by.
Trace replay_sample(const Oracle& oracle, SamplingMethod method, const SelectionOptions& options,
                    std::uint64_t seed);

}  // namespace flipscope
