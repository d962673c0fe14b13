// Which faults of a chunk cannot change a block's decisions: proved, so that they need no run.
//
// A flipped weight moves its output channel by Δw·x, no longer than |Δw| times the norm of the
// input channel that it reads; that is too short to matter where it lies within the output
// channel's radius (engine/decision_bound.h). Nothing is proved of other faults, nor in networks
// that run on codes.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "flipscope/analysis/fault_target.h"
#include "flipscope/engine/decision_bound.h"
#include "flipscope/fault/fault_space.h"

namespace flipscope {

class DecisionProof {
 public:
  /// Both must outlive it.
  DecisionProof(const Program& program, const FaultSpace& space);

  /// The faults that are asked about next.
  void set_faults(std::span<const Fault> faults);

  /// kept[fault] = 1 where no sample of the block can change its decision. `bound` is the block's,
  /// and is made where it is empty.
  void operator()(const Block& golden, std::optional<DecisionBound>& bound,
                  std::span<std::uint8_t> kept) const;

 private:
  struct Change {
    int node = -1;            ///< −1: nothing is known of this fault
    std::int64_t input = 0;   ///< channel of the node's input
    std::int64_t output = 0;  ///< and of its output
    double weight = 0;        ///< |Δw|
  };
  Change change_of(const Fault& fault) const;

  const Program* program_;
  const FaultSpace* space_;
  std::optional<DecisionGains> gains_;                ///< none: nothing here can be proved
  std::vector<std::optional<AnalysedLayer>> layers_;  ///< [target]
  std::vector<Change> changes_;                       ///< [fault]
};

}  // namespace flipscope
