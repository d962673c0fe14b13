#include "flipscope/engine/nan_spread.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "flipscope/engine/perturbation.h"
#include "flipscope/engine/test_random_network.h"

namespace flipscope {
namespace {

TEST(NanSpread, SamplesHaveNanAtTheSameOutputs) {
  std::size_t spread = 0, not_known = 0;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    testing::RandomNetwork random(seed);
    const Graph graph = random.make();
    const Program program(graph);
    constexpr int kSamples = 8;
    const std::vector<float> inputs = random.samples(graph, kSamples);
    const Block golden = run_golden(program, inputs.data(), 0, kSamples);
    const std::vector<float> delta(golden.lanes, std::numeric_limits<float>::quiet_NaN());
    PerturbedRun run(program);
    Random draw(seed, 7);
    for (int k = 0; k < 6; ++k) {
      const int value = static_cast<int>(draw.below(graph.values.size()));
      if (!spreads_nan(graph, value)) {
        ++not_known;
        continue;
      }
      const auto element =
          static_cast<std::int64_t>(draw.below(element_count(graph.values[value].shape)));
      const float* out = run.add(golden, value, {{element, element + 1}}, delta);
      for (std::int64_t e = 0; e < element_count(graph.values[graph.outputs[0]].shape); ++e) {
        for (int s = 1; s < kSamples; ++s) {
          ASSERT_EQ(std::isnan(out[e * golden.lanes + s]), std::isnan(out[e * golden.lanes]))
              << "seed " << seed;
        }
        spread += std::isnan(out[e * golden.lanes]) ? 1 : 0;
      }
    }
  }
  EXPECT_GT(spread, 500u);
  EXPECT_GT(not_known, 20u);
}

}  // namespace
}  // namespace flipscope
