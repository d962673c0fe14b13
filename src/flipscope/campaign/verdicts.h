// What a store knows about single faults, of all or of some of a space.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "flipscope/fault/fault_space.h"

namespace flipscope {

struct Verdicts {
  std::vector<std::uint64_t> faults;  ///< numbers in the space, ascending, each once
  std::vector<double> magnitude;      ///< |change of score| of each; the largest finite one if none
  std::vector<double> critical;       ///< share of samples with a critical outcome
  std::int64_t samples = 0;           ///< that the store's campaign ran
};

/// The faults of a store that lie in `space`, whose targets are found by part and tensor. Throws
/// Error where rows are trials, there is no golden score, or no fault lies in the space.
Verdicts read_verdicts(const std::string& store, const FaultSpace& space);

/// Those of `faults`, which are ascending. Throws Error where none is known.
Verdicts among(const Verdicts& verdicts, const std::vector<std::uint64_t>& faults);

}  // namespace flipscope
