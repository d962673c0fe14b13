#include "flipscope/engine/golden.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>

#include "flipscope/engine/reference.h"
#include "flipscope/engine/test_random_network.h"
#include "flipscope/numeric/same_bits.h"

namespace flipscope {
namespace {

TEST(Golden, EqualsReferenceBitForBitOnRandomNetworks) {
  for (std::uint64_t seed = 0; seed < 150; ++seed) {
    testing::RandomNetwork random(seed);
    const Graph graph = random.make();
    const Program program(graph);
    const int samples = 1 + static_cast<int>(seed % 40);
    const std::vector<float> inputs = random.samples(graph, samples);
    const Block block = run_golden(program, inputs.data(), 0, samples);
    const std::size_t size = element_count(graph.values[graph.inputs[0]].shape);
    for (int s = 0; s < samples; s += 7) {
      const auto expected = run_reference(graph, {inputs.data() + s * size, size});
      for (std::size_t v = 0; v < expected.size(); ++v) {
        for (std::size_t e = 0; e < expected[v].size(); ++e) {
          ASSERT_TRUE(same_bits(expected[v][e], block.values[v][e * block.lanes + s]))
              << "seed " << seed << " value " << graph.values[v].name << " element " << e << ": "
              << expected[v][e] << " against " << block.values[v][e * block.lanes + s];
        }
      }
    }
  }
}

TEST(Golden, KeepsOnlyOutputsWhenAsked) {
  testing::RandomNetwork random(3);
  const Graph graph = random.make();
  const Program program(graph);
  const std::vector<float> inputs = random.samples(graph, 20);
  const Block all = run_golden(program, inputs.data(), 4, 16);
  const Block few = run_golden(program, inputs.data(), 4, 16, false);
  EXPECT_EQ(all.values[graph.outputs[0]], few.values[graph.outputs[0]]);
  std::size_t kept = 0;
  for (const auto& value : few.values) kept += value.empty() ? 0 : 1;
  EXPECT_EQ(kept, 1u);
}

TEST(Golden, CarrierDoesNotChangeAnExactSum) {
  int exact = 0;
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    testing::RandomNetwork random(seed);
    Graph graph = random.make();
    const std::vector<float> inputs = random.samples(graph, 16);
    const Block narrow = run_golden(Program(graph), inputs.data(), 0, 16);
    for (const ExactnessProof& proof : prove_exactness(graph)) {
      if (!proof.exact) continue;
      ++exact;
      std::visit(
          [](auto& op) {
            if constexpr (requires { op.accumulation; }) {
              op.accumulation.carrier = Carrier::float64;
            }
          },
          graph.nodes[proof.node].op);
    }
    const Block wide = run_golden(Program(graph), inputs.data(), 0, 16);
    EXPECT_EQ(narrow.values, wide.values) << "seed " << seed;
  }
  EXPECT_GT(exact, 30);
}

}  // namespace
}  // namespace flipscope
