#include "flipscope/analysis/detection.h"

#include <algorithm>
#include <limits>

#include "flipscope/engine/golden.h"

namespace flipscope {
namespace {

/// The least error of a side that matters; infinite where none does.
double least_error(const ValueRange& range, int side) {
  const int first = range.first[side];
  if (first < kCandidates) return candidate_value(first);
  return range.large[side] ? candidate_value(kLarge) : std::numeric_limits<double>::infinity();
}

class Calibration {
 public:
  void golden(double value) {
    least_ = std::min(least_, value);
    most_ = std::max(most_, value);
  }
  void errors(double value, const ValueRange& range) {
    up_ = std::min(up_, value + least_error(range, 0));
    down_ = std::max(down_, value - least_error(range, 1));
  }
  Thresholds thresholds() const { return {std::min(down_, least_), std::max(up_, most_)}; }

 private:
  static constexpr double kInfinity = std::numeric_limits<double>::infinity();
  double least_ = kInfinity, most_ = -kInfinity, up_ = kInfinity, down_ = -kInfinity;
};

}  // namespace

std::vector<LayerThresholds> detection_thresholds(const Graph& graph, const Samples& samples,
                                                  const std::vector<LayerSample>& layers,
                                                  const std::vector<LayerChunk>& chunks) {
  const Program program(graph);
  const std::int64_t calibrating = calibrating_samples(samples.count);
  std::vector<LayerThresholds> result(layers.size());
  std::vector<Calibration> calibrations(layers.size());
  // Blocks of either kind of sample, the calibrating ones first.
  for (std::int64_t first = 0; first < samples.count;) {
    const bool calibrates = first < calibrating;
    const std::int64_t end = calibrates ? calibrating : samples.count;
    const int count = static_cast<int>(std::min<std::int64_t>(kBlockSamples, end - first));
    const Block block = run_golden(program, samples.values.data(), first, count);
    for (std::size_t l = 0; l < layers.size(); ++l) {
      const AnalysedLayer& layer = layers[l].layer;
      if (layer.kind == FaultKind::filters) continue;
      const float* values = block.values[layer.value].data();
      const std::int64_t elements = element_count(graph.values[layer.value].shape);
      const auto each_value = [&](auto use) {
        for (std::int64_t e = 0; e < elements; ++e) {
          for (int s = 0; s < count; ++s) use(values[e * block.lanes + s]);
        }
      };
      if (!calibrates) {
        result[l].golden += static_cast<std::uint64_t>(elements * count);
        each_value([&](float v) { result[l].golden_alarms += result[l].range.alarm(v) ? 1 : 0; });
        continue;
      }
      each_value([&](float v) { calibrations[l].golden(v); });
      for (std::size_t t = 0; t < layers[l].targets.size(); ++t) {
        const std::int64_t e = layers[l].targets[t].element;
        for (int s = 0; s < count; ++s) {
          calibrations[l].errors(values[e * block.lanes + s],
                                 chunks[l].targets[t].ranges[first + s]);
        }
      }
      result[l].range = calibrations[l].thresholds();
    }
    first += count;
  }
  return result;
}

}  // namespace flipscope
