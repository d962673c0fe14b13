// Faults of one target, by their effects: bits that faults leave at the end of their channel.
//
// Faults are run to the end of their channel's own functions (normalization, ReLU) first. A pair of
// a fault and a sample that leaves the bits there as they are needs no further run, nor does one
// that gives them the bits that another fault of the target gave them; only the others are run on,
// several faults at once.
//
// A run waits where all that differs passes through one value. There it ends if the difference is
// too small to change the decision (decision_bound.h); else it fills the lanes with others.
#pragma once

#include <map>
#include <vector>

#include "flipscope/analysis/detection.h"
#include "flipscope/analysis/fault_target.h"
#include "flipscope/analysis/injected_factor.h"
#include "flipscope/analysis/vulnerability_search.h"
#include "flipscope/engine/decision_bound.h"
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

/// One thread on one block of samples. Only for programs that can_pick().
class EffectInjector {
 public:
  EffectInjector(const Program& program, const FaultSpace& space, const DecisionGains& gains,
                 const float* inputs, std::int64_t first, int samples);

  /// `elements`: those of the layer's value that the faults to come can change.
  void begin(const AnalysedLayer& layer, const Ranges& elements, const Watch& watch);

  /// proved[sample]: this fault does not matter there, and nothing is run.
  void add(const Fault& fault, const std::vector<bool>& proved);

  InjectedFactor finish();

  const Block& golden() const { return golden_; }
  const DecisionBound& bound() const { return bound_; }

 private:
  struct Waiting {
    bool* matters;
    std::int32_t sample;
    std::vector<float> numbers;  ///< [element of the stop]
  };

  /// Where runs wait until they fill the lanes.
  struct Stop {
    int value = -1;
    Ranges elements;            ///< that may differ
    std::int64_t count = 0;     ///< of them
    std::vector<double> radii;  ///< [sample] what differs less does not matter
    std::vector<Waiting> waiting;
  };

  /// How what a run brings to a stop differs from the golden value; `large` may matter.
  enum class Arrival { golden, small, large };

  void stop_at(int value, const Ranges& elements);
  void measure(const Stop& stop, const float* values);
  Arrival arrival(const Stop& stop, int lane) const;
  std::vector<float> numbers_of(const Stop& stop, const float* values, int lane) const;
  void run(std::size_t stop);
  void run_full(std::size_t stop);

  /// A pair whose channel was run.
  struct Pair {
    const bool* matters;  ///< null: it does not
    bool watched, alarm;
  };

  const Program* program_;
  Block golden_;
  DecisionBound bound_;
  DecisionCheck check_;
  FaultyRun faulty_;
  PerturbedRun perturbed_;
  int struck_ = -1;  ///< the value that the faults move
  Watch watch_;
  std::vector<Stop> stops_;  ///< the end of the channel first
  /// [sample] whether these bits of the elements matter.
  std::vector<std::map<Digest, bool>> effects_;
  std::vector<std::vector<Pair>> of_fault_;  ///< [fault]
  std::vector<std::int32_t> own_lanes_;      ///< 0, 1, … those of the block
  std::vector<std::int32_t> picked_;         ///< [lane of a run] sample
  std::vector<double> squares_;              ///< [lane] of what differs at a stop
  std::vector<Word> differing_;              ///< [lane] which bits
  AlignedVector<float> row_;                 ///< [lane]
  AlignedVector<float> numbers_;             ///< [element][lane]
  std::vector<std::uint8_t> changed_;        ///< [lane]
  InjectedFactor result_;
};

}  // namespace flipscope
