// Alarms on values that leave a range: thresholds from vulnerability value ranges.
//
// An error δ matters from δ⁺ up and from δ⁻ down, so of an element with golden value v nothing
// below v + δ⁺ and above v + δ⁻ needs an alarm. A layer's thresholds are the least of the former
// and the largest of the latter over its analysed elements and the calibrating samples, but never
// inside the range of its golden values there, so that these raise no alarm. Faults' coverage and
// false alarms are measured on the other samples.
#pragma once

#include <cstdint>
#include <limits>
#include <vector>

#include "flipscope/analysis/vulnerability.h"

namespace flipscope {

struct Thresholds {
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();

  /// NaN is outside too.
  bool alarm(double value) const { return !(value >= low && value <= high); }
};

/// Of one layer of activations, in the units of what its faults move.
struct LayerThresholds {
  Thresholds range;
  std::uint64_t golden = 0;         ///< golden values of samples that did not calibrate
  std::uint64_t golden_alarms = 0;  ///< of these
};

/// The first half of the samples, rounded up, calibrates.
inline std::int64_t calibrating_samples(std::int64_t count) {
  return (count + 1) / 2;
}

/// [layer]; a layer of filters has none, its range is infinite.
std::vector<LayerThresholds> detection_thresholds(const Graph& graph, const Samples& samples,
                                                  const std::vector<LayerSample>& layers,
                                                  const std::vector<LayerChunk>& chunks);

}  // namespace flipscope
