// Weights of which a pad or a mask fills some elements: those read no word.
#include <gtest/gtest.h>

#include <cmath>

#include "flipscope/engine/backward.h"
#include "flipscope/engine/faulty_run.h"
#include "flipscope/engine/reference.h"
#include "flipscope/model/builder.h"
#include "flipscope/model/lower.h"
#include "flipscope/numeric/same_bits.h"

namespace flipscope {
namespace {

const std::vector<double> kFileWeights = {0.5, -1.25, 0.75, 1.5, -0.25, 1};
const Rearrange kPadded{.source = {-1, -1, 0, 1, 2, 3, 4, 5}, .shape = {4, 2}, .fill = 0.25};
const Rearrange kMasked{.source = {0, -1, 2, 3, -1, 5, 0, 1}, .shape = {4, 2}, .fill = 0};

/// x [1,4] times a [4,2] rearrangement of the file's weights [3,2].
Graph filled_network(const Rearrange& movement, const std::vector<double>& weights,
                     bool quantized) {
  GraphBuilder builder("test", Layout::channel_first);
  Symbol x = builder.add_input("x", {1, 4});
  Symbol w = builder.initializer("fc.weight", {.shape = {3, 2}, .data = weights});
  if (quantized) {
    x = builder.fake_quantize("act", x, fixed_point(8, 4), false);
    w = builder.fake_quantize("wq", w, fixed_point(6, 2), false);
  }
  w = builder.add("move", movement, {w});
  const Symbol y = builder.add("fc", MatrixProduct{}, {x, w});
  Graph graph = builder.finish("filled", {y}, {"y"});
  lower(graph);
  return graph;
}

TEST(FilledWeights, AFlipEqualsTheFlipInTheFile) {
  const std::vector<float> x = {0.5F, -1, 1.5F, 2.25F};
  for (const Rearrange& movement : {kPadded, kMasked}) {
    for (const bool quantized : {false, true}) {
      const Graph graph = filled_network(movement, kFileWeights, quantized);
      const Program program(graph);
      const Block golden = run_golden(program, x.data(), 0, 1);
      const FaultSpace space(graph, {});
      ASSERT_EQ(space.targets().size(), 1u);
      EXPECT_EQ(space.targets()[0].elements, 6);
      FaultyRun run(program, space);
      for (std::uint64_t k = 0; k < space.size(); ++k) {
        SCOPED_TRACE(k);
        const FaultSite site = space.site(k);
        const StoredTensor& stored = graph.stored[space.targets()[0].id];
        std::vector<double> flipped = kFileWeights;
        flipped[site.index] =
            real_value(stored, site.index, flip(stored.words[site.index], site.bit));
        if (!std::isfinite(flipped[site.index])) continue;
        const Graph other = filled_network(movement, flipped, quantized);
        const std::vector<float> expected = run_reference(other, x)[other.outputs[0]];
        const Fault fault{{}, {site}};
        const std::vector<float> judged = run_reference(graph, x, &space, &fault)[graph.outputs[0]];
        const float* out = run(golden, fault);
        for (std::size_t e = 0; e < expected.size(); ++e) {
          EXPECT_TRUE(same_bits(judged[e], expected[e])) << judged[e] << " " << expected[e];
          EXPECT_TRUE(same_bits(out[e * golden.lanes], expected[e])) << expected[e];
        }
      }
    }
  }
}

TEST(FilledWeights, DerivativesPassThemBy) {
  Samples samples;
  samples.count = 1;
  samples.values = {0.5F, -1, 1.5F, 2.25F};
  samples.target_size = 2;
  samples.targets = {1, -1};
  const Graph graph = filled_network(kMasked, kFileWeights, false);
  const Loss loss({LossSpec::Kind::mse}, samples, 2);
  const Objective objective(graph, samples, loss, Parameters(graph, {0}));
  // Rows of the operand: (w0, 0), (w2, w3), (0, w5), (w0, w1); w4 is read nowhere.
  const double y0 = 0.5 * 0.5 - 0.75 + 2.25 * 0.5, y1 = -1.5 + 1.5 * 1 + 2.25 * -1.25;
  const double d0 = y0 - 1, d1 = y1 + 1;
  const std::vector<double> expected = {2.75 * d0, 2.25 * d1, -d0, -d1, 0, 1.5 * d1};
  const std::vector<double> gradient = objective.gradient();
  ASSERT_EQ(gradient.size(), expected.size());
  for (std::size_t p = 0; p < expected.size(); ++p) EXPECT_NEAR(gradient[p], expected[p], 1e-12);
  // The loss is the mean of two squares, each of one linear function of the words.
  const std::vector<double> product = objective.hessian_product(std::vector<double>(6, 1.0));
  const double t0 = 2.75 - 1, t1 = -1 + 1.5 + 2.25;
  const std::vector<double> curved = {2.75 * t0, 2.25 * t1, -t0, -t1, 0, 1.5 * t1};
  for (std::size_t p = 0; p < curved.size(); ++p) EXPECT_NEAR(product[p], curved[p], 1e-12);
}

}  // namespace
}  // namespace flipscope
