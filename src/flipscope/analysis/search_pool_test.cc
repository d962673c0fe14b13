#include "flipscope/analysis/search_pool.h"

#include <gtest/gtest.h>

#include "flipscope/analysis/test_network.h"
#include "flipscope/engine/workspace.h"
#include "flipscope/model/lower.h"

namespace flipscope {
namespace {

using testing::kKinds;
using testing::Network;

/// Searches of all targets of a layer together against those of one target after the other.
void compare_searches(const Network& net, std::uint64_t seed, SearchWork& work) {
  const std::atomic<bool> stop{false};
  const int samples = static_cast<int>(net.inputs.count);
  const Block twice = search_block(net.program, net.inputs.values.data(), 0, samples);
  const Block once = run_golden(net.program, net.inputs.values.data(), 0, samples);
  PerturbedRun run(net.program), other(net.program);
  Random draw(seed, 6);
  for (const FaultKind kind : kKinds) {
    const auto layers = analysed_layers(net.graph, kind, {});
    const AnalysedLayer& layer = layers[draw.below(layers.size())];
    const SearchOptions options{.bisect = seed % 2 == 1};
    std::vector<SearchTarget> targets;
    for (std::int64_t c = 0; c < layer.channels; ++c) {
      const FaultTargetPlace place{
          c, kind == FaultKind::filters ? -1 : element_of(net.graph, layer, c, 0)};
      TargetMaps maps_of(net.program, layer, place, {});
      SearchTarget target{.number = targets.size()};
      target.elements = kind == FaultKind::filters ? channel_elements(net.graph, layer, c)
                                                   : Ranges{{place.element, place.element + 1}};
      for (int s = 0; s < samples; ++s) target.maps.push_back(maps_of(once, s));
      targets.push_back(std::move(target));
    }
    std::size_t given = 0, taken = 0;
    find_together(
        run, net.graph, once, layer.value, options,
        [&] {
          return given < targets.size() ? std::make_unique<SearchTarget>(targets[given++])
                                        : nullptr;
        },
        [&](const SearchTarget& found) {
          std::vector<ValueRange> ranges(samples);
          const SearchWork alone = find_ranges(other, net.graph, twice, layer.value, found.elements,
                                               options, found.maps, ranges);
          for (int s = 0; s < samples; ++s) {
            EXPECT_EQ(found.ranges[s].first, ranges[s].first) << "seed " << seed;
            EXPECT_EQ(found.ranges[s].large, ranges[s].large) << "seed " << seed;
            EXPECT_EQ(found.ranges[s].undefined, ranges[s].undefined) << "seed " << seed;
          }
          ASSERT_EQ(found.works.size(), 1u);
          EXPECT_EQ(found.works[0].runs, alone.runs);
          EXPECT_EQ(found.works[0].none, alone.none);
          EXPECT_EQ(found.works[0].on_line, alone.on_line);
          EXPECT_EQ(found.works[0].out_of_line, alone.out_of_line);
          work += alone;
          work.early += found.works[0].early;
          ++taken;
        },
        stop);
    EXPECT_EQ(taken, targets.size());
  }
}

TEST(SearchPool, FindsWhatSearchesOfOneTargetFind) {
  SearchWork work;
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    const Network net(seed, 20);
    if (can_pick(net.program)) compare_searches(net, seed, work);
  }
  EXPECT_GT(work.runs, 1000u);
  EXPECT_GT(work.early, 100u);
}

/// Channels times gates that other channels move too: what one search changes must say nothing of
/// its neighbours' lines.
Graph gated_network(std::uint64_t seed) {
  Random random(seed, 9);
  GraphBuilder builder("gated", Layout::channel_first);
  const auto weights = [&](const std::string& name, const Shape& shape) {
    Tensor tensor{.shape = shape, .data = {}};
    for (std::int64_t i = 0; i < element_count(shape); ++i) {
      tensor.data.push_back(static_cast<float>(random.uniform() - 0.5));
    }
    return builder.initializer(name, tensor);
  };
  const Convolution op{
      .stride = {1, 1}, .dilation = {1, 1}, .pad_begin = {0, 0}, .pad_end = {0, 0}};
  const Symbol x = builder.add_input("x", {1, 2, 6, 5});
  const Symbol y = builder.add("conv", op, {x, weights("conv.weight", {4, 2, 3, 3})});
  const Symbol gate =
      builder.add("relu", Unary{UnaryFunction::relu},
                  {builder.add("gate", op, {y, weights("gate.weight", {4, 4, 1, 1})})});
  const Symbol z = builder.add("product", Binary{BinaryFunction::multiply}, {y, gate});
  const Symbol flat = builder.reshape(z, {1, 48});
  Graph graph = builder.finish(
      "gated", {builder.add("fc", MatrixProduct{}, {flat, weights("fc.weight", {48, 3})})}, {"y"});
  lower(graph);
  return graph;
}

TEST(SearchPool, NeighboursSayNothingOfALine) {
  SearchWork work;
  for (std::uint64_t seed = 0; seed < 6; ++seed) {
    compare_searches(Network(gated_network(seed), seed, 20), seed, work);
  }
  EXPECT_GT(work.on_line, 10u);
}

}  // namespace
}  // namespace flipscope
