#include "flipscope/analysis/slice.h"

#include <gtest/gtest.h>

#include <cmath>

#include "flipscope/analysis/slice_change.h"
#include "flipscope/engine/test_random_network.h"
#include "flipscope/fault/test_graph.h"

namespace flipscope {
namespace {

/// conv1 → relu → conv2 → + relu's output → conv3 with conv1's weights where `shared`.
Graph residual_network(bool shared) {
  GraphBuilder builder("residual", Layout::channel_first);
  Symbol x = builder.add_input("x", {1, 2, 4, 4});
  const Convolution same{.stride = {1, 1},
                         .dilation = {1, 1},
                         .pad_begin = {1, 1},
                         .pad_end = {1, 1},
                         .groups = 1,
                         .accumulation = {}};
  const Symbol first = testing::random_weights(builder, "conv1.weight", {2, 2, 3, 3}, 1);
  x = builder.add("conv1", same, {x, first});
  x = builder.add("relu1", Unary{UnaryFunction::relu, 0, 0}, {x});
  Symbol y = builder.add("conv2", same,
                         {x, testing::random_weights(builder, "conv2.weight", {2, 2, 3, 3}, 2)});
  y = builder.add("sum", Binary{BinaryFunction::add}, {y, x});
  y = builder.add(
      "conv3", same,
      {y, shared ? first : testing::random_weights(builder, "conv3.weight", {2, 2, 3, 3}, 3)});
  Graph graph = builder.finish("residual", {y}, {"y"});
  lower(graph);
  return graph;
}

TEST(Slice, ReadsEveryInputThatItsCutNeeds) {
  const Graph graph = residual_network(false);
  const FaultSpace space(graph, {});
  const Slicing slicing = slice_network(graph, space, graph.outputs[0], SliceEnd::layer);
  ASSERT_EQ(slicing.slices.size(), 3U);
  EXPECT_EQ(slicing.slices[0].inputs, graph.inputs);
  ASSERT_EQ(slicing.slices[0].outputs.size(), 1U);
  // The block's sum reads what conv2 made and what its own input was: one value, read twice.
  EXPECT_EQ(slicing.slices[1].inputs, slicing.slices[0].outputs);
  EXPECT_EQ(slicing.slices[2].inputs, slicing.slices[1].outputs);
  EXPECT_EQ(slicing.slices[2].outputs, graph.outputs);
  EXPECT_EQ(slicing.slice_of, (std::vector<int>{0, 1, 2}));
}

TEST(Slice, IsOneAcrossLayersThatReadTheSameWords) {
  const Graph graph = residual_network(true);
  const FaultSpace space(graph, {});
  const Slicing slicing = slice_network(graph, space, graph.outputs[0], SliceEnd::layer);
  ASSERT_EQ(slicing.slices.size(), 1U);
  EXPECT_EQ(slicing.slices[0].outputs, graph.outputs);
  EXPECT_THROW(slice_network(graph, space, graph.outputs[0], SliceEnd::sums), Error);
}

/// Outputs of all slices hold all that a fault does: the run to the end of the slice, put in the
/// place of the golden values, gives the output of the whole faulty run.
TEST(Slice, ChangesAreAllThatTheRestOfTheNetworkSees) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    testing::RandomNetwork random(seed);
    const Graph graph = random.make();
    const std::vector<float> inputs = random.samples(graph, 5);
    const Program program(graph);
    const Block golden = run_golden(program, inputs.data(), 0, 5);
    const FaultSpace space(graph, {.parts = {Part::weights, Part::biases, Part::activations}});
    const Slicing slicing = slice_network(graph, space, graph.outputs[0], SliceEnd::layer);
    std::vector<std::vector<float>> units;
    for (const Slice& slice : slicing.slices) units.emplace_back(slice.elements, 1.0F);
    SliceRun slice_run(program, space, slicing, units);
    FaultyRun whole(program, space, Method::whole);
    Random pick(seed, 1);
    for (int draw = 0; draw < 30; ++draw) {
      const FaultSite site = space.site(pick.below(space.size()));
      const Fault fault{FaultEffect::flip, {site}};
      const auto s = static_cast<std::size_t>(slicing.slice_of[site.target]);
      const Slice& slice = slicing.slices[s];
      slice_run(s, golden, fault);
      std::vector<const float*> at;
      for (const AlignedVector<float>& value : golden.values) at.push_back(value.data());
      std::vector<AlignedVector<float>> made(graph.values.size());
      FaultyRun to(program, space);
      for (const int v : slice.outputs) {
        const float* end = to.run_to(v, golden, fault);
        made[v].assign(end, end + golden.values[v].size());
      }
      for (const int v : slice.outputs) at[v] = made[v].data();
      for (std::size_t n = slice.last; n < graph.nodes.size(); ++n) {
        const Node& node = graph.nodes[n];
        made[node.output].resize(golden.values[node.output].size());
        forward<float>(node.op, views_of(program, node, at), graph.values[node.output].shape,
                       made[node.output].data(), golden.lanes);
        at[node.output] = made[node.output].data();
      }
      const int output = graph.outputs[0];
      const float* expected = whole(golden, fault);
      for (std::size_t i = 0; i < golden.values[output].size(); ++i) {
        ASSERT_TRUE(at[output][i] == expected[i] ||
                    (std::isnan(at[output][i]) && std::isnan(expected[i])))
            << "seed " << seed << " draw " << draw;
      }
    }
  }
}

TEST(SliceChange, HoldsEveryDifferenceInRealNumbers) {
  const Graph graph = testing::small_network(6);
  const std::vector<float> inputs = testing::small_inputs(5);
  const Program program(graph);
  const Block golden = run_golden(program, inputs.data(), 0, 5);
  const FaultSpace space(graph, {});
  const Slicing slicing = slice_network(graph, space, graph.outputs[0], SliceEnd::layer);
  std::vector<std::vector<float>> units;
  for (const Slice& slice : slicing.slices) units.push_back(units_of(graph, slice));
  SliceRun run(program, space, slicing, units);
  FaultyRun whole(program, space, Method::whole);
  for (std::uint64_t number = 0; number < space.size(); number += 7) {
    const FaultSite site = space.site(number);
    const Fault fault{FaultEffect::flip, {site}};
    const auto s = static_cast<std::size_t>(slicing.slice_of[site.target]);
    const SliceChange& change = run(s, golden, fault);
    const int v = slicing.slices[s].outputs[0];
    const float* faulty = whole.run_to(v, golden, fault);
    std::size_t k = 0;
    for (std::int64_t e = 0; e < slicing.slices[s].elements; ++e) {
      const bool listed = k < change.elements.size() && change.elements[k] == e;
      for (int lane = 0; lane < golden.lanes; ++lane) {
        const std::int64_t i = e * golden.lanes + lane;
        const float d = (faulty[i] - golden.values[v][i]) * units[s][e];
        EXPECT_EQ(listed ? change.d[k * golden.lanes + lane] : 0, d);
      }
      k += listed ? 1 : 0;
    }
    EXPECT_EQ(k, change.elements.size());
  }
}

TEST(SliceChange, OfSumsIsTheWeightsChangeTimesItsData) {
  for (const int bits : {0, 6}) {
    const Graph graph = testing::small_network(bits, 2);
    const std::vector<float> inputs = testing::small_inputs(5);
    const Program program(graph);
    const Block golden = run_golden(program, inputs.data(), 0, 5);
    const FaultSpace space(graph, {.parts = {Part::weights}, .layers = {}, .bits = "0-5"});
    const Slicing slicing = slice_network(graph, space, graph.outputs[0], SliceEnd::sums);
    std::vector<std::vector<float>> units;
    for (const Slice& slice : slicing.slices) units.push_back(units_of(graph, slice));
    SliceRun run(program, space, slicing, units);
    WeightUpdate update(program, space, slicing);
    for (std::uint64_t number = 0; number < space.size(); number += 3) {
      const FaultSite site = space.site(number);
      const Fault fault{FaultEffect::flip, {site}};
      const auto s = static_cast<std::size_t>(slicing.slice_of[site.target]);
      // Rounding may hide a change of a float sum; never one of codes.
      const auto total = [&](const SliceChange& change) {
        double sum = 0;
        for (const float d : change.d) sum += std::fabs(d);
        return sum;
      };
      const double ran = total(run(s, golden, fault));
      EXPECT_NEAR(total(update(s, golden, fault)), ran, bits > 0 && s == 0 ? 1e-6 * ran : 1e-4);
    }
  }
}

}  // namespace
}  // namespace flipscope
