// Faults of one target, by their effects: bits that faults leave at the end of their channel.
//
// Faults are run to the end of their channel's own functions (normalization, ReLU) first. A pair of
// a fault and a sample that leaves the bits there as they are needs no further run, nor does one
// that gives them the bits that another fault of the target gave them; only the others are run to
// the output, several faults at once.
#pragma once

#include <map>
#include <vector>

#include "flipscope/analysis/detection.h"
#include "flipscope/analysis/fault_target.h"
#include "flipscope/analysis/injected_factor.h"
#include "flipscope/analysis/vulnerability_search.h"
#include "flipscope/engine/faulty_run.h"
#include "flipscope/engine/perturbation.h"
#include "flipscope/numeric/hash.h"

namespace flipscope {

/// Which samples of a block are held against which thresholds, at the faults' own element.
struct Watch {
  Thresholds thresholds;
  int first = 0;              ///< sample of the block; those before it calibrated
  std::int64_t element = -1;  ///< of the layer's value; −1: nothing is watched

  bool watches(int sample) const { return element >= 0 && sample >= first; }
  bool alarm(const float* values, int lanes, int sample) const {
    return thresholds.alarm(values[element * lanes + sample]);
  }
};

/// One thread on one block of samples, which lies in the lanes as often as it fits. Only for
/// programs without stages, whose values are all numbers.
class EffectInjector {
 public:
  EffectInjector(const Program& program, const FaultSpace& space, const float* inputs,
                 std::int64_t first, int samples);

  /// `elements`: those of the layer's value that the faults to come can change.
  void begin(const AnalysedLayer& layer, const Ranges& elements, const Watch& watch);

  /// proved[sample]: this fault does not matter there, and nothing is run.
  void add(const Fault& fault, const std::vector<bool>& proved);

  InjectedFactor finish();

  const Block& golden() const { return narrow_; }

 private:
  struct Waiting {
    bool* matters;
    std::vector<float> numbers;  ///< [element]
  };

  void run();

  /// A pair that is not proved.
  struct Pair {
    const bool* matters;  ///< null: masked
    bool watched, alarm;
  };

  const Graph* graph_;
  int samples_, slots_;
  Block narrow_, wide_;
  DecisionCheck check_;
  FaultyRun faulty_;
  PerturbedRun perturbed_;
  int value_ = -1;
  int struck_ = -1;  ///< the value that the faults move
  Watch watch_;
  Ranges elements_;
  std::int64_t count_ = 0;  ///< elements
  /// [sample] whether these bits of the elements matter.
  std::vector<std::map<Digest, bool>> effects_;
  std::vector<std::vector<Pair>> of_fault_;    ///< [fault]
  std::vector<std::vector<Waiting>> waiting_;  ///< [sample]
  std::ptrdiff_t waiting_count_ = 0;
  std::vector<float> now_;
  AlignedVector<float> numbers_;  ///< [element][lane]
  std::vector<std::uint8_t> changed_;
  InjectedFactor result_;
};

}  // namespace flipscope
