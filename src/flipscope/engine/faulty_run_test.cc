#include "flipscope/engine/faulty_run.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>

#include "flipscope/engine/reference.h"
#include "flipscope/engine/strike.h"
#include "flipscope/engine/test_random_network.h"
#include "flipscope/fault/test_elements.h"
#include "flipscope/numeric/same_bits.h"

namespace flipscope {
namespace {

/// A fault of 1–5 distinct sites anywhere in the space.
Fault random_fault(const FaultSpace& space, Random& random) {
  Fault fault;
  fault.effect = static_cast<FaultEffect>(random.below(3));
  const std::uint64_t sites = random.below(3) == 0 ? 1 + random.below(5) : 1;
  for (std::uint64_t k = 0; k < sites; ++k) {
    fault.sites.push_back(space.site(random.below(space.size())));
  }
  std::sort(fault.sites.begin(), fault.sites.end());
  fault.sites.erase(std::unique(fault.sites.begin(), fault.sites.end()), fault.sites.end());
  return fault;
}

struct Compared {
  std::size_t pairs = 0, differing = 0;
};

/// Holds runs of random faults against the reference, bit for bit.
void compare(const Graph& graph, testing::RandomNetwork& random, std::uint64_t seed,
             const std::vector<Part>& parts, Compared& compared) {
  const Program program(graph);
  const int samples = 3;
  const std::vector<float> inputs = random.samples(graph, samples);
  const Block golden = run_golden(program, inputs.data(), 0, samples);
  const std::size_t size = element_count(graph.values[graph.inputs[0]].shape);
  Random draw(seed, 1);
  for (const Part part : parts) {
    FaultSpaceOptions options;
    options.parts = {part};
    std::optional<FaultSpace> space;
    try {
      space.emplace(graph, options);
    } catch (const Error&) {
      continue;  // this network has none of these
    }
    FaultyRun run(program, *space);
    for (int k = 0; k < 12; ++k) {
      const Fault fault = random_fault(*space, draw);
      const float* out = run(golden, fault);
      for (int s = 0; s < samples; ++s) {
        const auto expected =
            run_reference(graph, {inputs.data() + s * size, size}, &*space, &fault);
        const std::vector<float>& y = expected[graph.outputs[0]];
        for (std::size_t e = 0; e < y.size(); ++e) {
          ASSERT_TRUE(same_bits(y[e], out[e * golden.lanes + s]))
              << "seed " << seed << " part " << to_string(part) << " fault " << k << " sample " << s
              << ": " << y[e] << " against " << out[e * golden.lanes + s];
          const float before = golden.values[graph.outputs[0]][e * golden.lanes + s];
          compared.differing += same_bits(y[e], before) ? 0 : 1;
        }
        ++compared.pairs;
      }
    }
  }
}

TEST(FaultyRun, EqualsReferenceBitForBitForEveryPartAndEffect) {
  Compared compared;
  for (std::uint64_t seed = 0; seed < 120; ++seed) {
    testing::RandomNetwork random(seed);
    compare(random.make(), random, seed,
            {Part::weights, Part::biases, Part::normalization, Part::activations, Part::operands,
             Part::inputs},
            compared);
  }
  EXPECT_GT(compared.pairs, 10000u);
  EXPECT_GT(compared.differing, compared.pairs / 10);
}

TEST(FaultyRun, EqualsReferenceWhereElementsHaveFormatsOfTheirOwn) {
  Compared compared;
  for (std::uint64_t seed = 0; seed < 120; ++seed) {
    testing::RandomNetwork random(seed);
    Graph graph = random.make();
    Random draw(seed, 2);
    testing::narrow_elements(graph, draw);
    compare(graph, random, seed, {Part::weights, Part::biases}, compared);
  }
  EXPECT_GT(compared.pairs, 5000u);
  EXPECT_GT(compared.differing, compared.pairs / 10);
}

TEST(Strike, KnowsTheSignOfZero) {
  const Encoding floats{.format = float32_format()};
  for (const int bit : {0, 23, 30, 31}) {
    for (const float x : {-0.0F, 0.0F, 1.5F, -3.0F}) {
      const float struck = strike_value(FaultEffect::flip, floats, 0, x, bit);
      EXPECT_EQ(std::bit_cast<std::uint32_t>(struck),
                std::bit_cast<std::uint32_t>(x) ^ (std::uint32_t{1} << bit));
    }
  }
}

TEST(FaultyRun, AFaultLeavesNoTrace) {
  testing::RandomNetwork random(11);
  const Graph graph = random.make();
  const Program program(graph);
  const std::vector<float> inputs = random.samples(graph, 16);
  const Block golden = run_golden(program, inputs.data(), 0, 16);
  const FaultSpace space(graph, {});
  FaultyRun run(program, space);
  for (std::uint64_t k = 0; k < space.size(); ++k) run(golden, Fault{{}, {space.site(k)}});
  const float* out = run(golden, Fault{});
  const auto& expected = golden.values[graph.outputs[0]];
  EXPECT_TRUE(std::equal(expected.begin(), expected.end(), out));
}

}  // namespace
}  // namespace flipscope
