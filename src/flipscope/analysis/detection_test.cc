#include "flipscope/analysis/detection.h"

#include <gtest/gtest.h>

#include <cmath>

#include "flipscope/analysis/test_network.h"
#include "flipscope/engine/golden.h"

namespace flipscope {
namespace {

using testing::Network;

TEST(Detection, ThresholdsLetGoldenValuesPassAndTakeTheLeastErrorThatMatters) {
  const std::atomic<bool> stop{false};
  std::size_t finite = 0, tight = 0;
  for (std::uint64_t seed = 0; seed < 30; ++seed) {
    const Network net(seed, 7);
    VulnerabilityOptions options;
    options.kinds = {FaultKind::operands, FaultKind::stored};
    const std::vector<LayerSample> layers = draw_targets(net.graph, options);
    const auto chunks = analyse(
        net.graph, net.inputs, layers, options, {}, [](std::uint64_t, std::uint64_t) {}, stop);
    const auto found = detection_thresholds(net.graph, net.inputs, layers, *chunks);
    const Block golden = run_golden(net.program, net.inputs.values.data(), 0, 7);
    for (std::size_t l = 0; l < layers.size(); ++l) {
      const float* values = golden.values[layers[l].layer.value].data();
      const std::int64_t elements = element_count(net.graph.values[layers[l].layer.value].shape);
      std::uint64_t alarms = 0;
      for (std::int64_t e = 0; e < elements; ++e) {
        for (int s = 0; s < 7; ++s) {
          const bool alarm = found[l].range.alarm(values[e * golden.lanes + s]);
          EXPECT_FALSE(s < 4 && alarm);
          alarms += alarm ? 1 : 0;
        }
      }
      EXPECT_EQ(found[l].golden, 3u * elements);
      EXPECT_EQ(found[l].golden_alarms, alarms);
      // Above the threshold lies every analysed value with the least error that matters added,
      // where golden values do not lie higher.
      double most = -HUGE_VAL;
      for (std::int64_t e = 0; e < elements; ++e) {
        for (int s = 0; s < 4; ++s) most = std::max(most, double{values[e * golden.lanes + s]});
      }
      finite += std::isfinite(found[l].range.high) ? 1 : 0;
      for (std::size_t t = 0; t < layers[l].targets.size(); ++t) {
        for (int s = 0; s < 4; ++s) {
          const int first = (*chunks)[l].targets[t].ranges[s].first[0];
          if (first == kCandidates) continue;
          const double v = values[layers[l].targets[t].element * golden.lanes + s];
          EXPECT_LE(found[l].range.high, std::max(most, v + candidate_value(first)));
          tight += found[l].range.high == v + candidate_value(first) ? 1 : 0;
        }
      }
    }
  }
  EXPECT_GT(finite, 20u);
  EXPECT_GT(tight, 10u);
  EXPECT_TRUE(Thresholds{}.alarm(std::nan("")));
}

}  // namespace
}  // namespace flipscope
