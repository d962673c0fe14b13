#include "flipscope/engine/bottleneck.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "flipscope/engine/faulty_run.h"
#include "flipscope/engine/golden.h"
#include "flipscope/engine/test_random_network.h"

namespace flipscope {
namespace {

constexpr BottleneckLimits kAny{.widest = 1000, .least_work = 0};

/// x [1,8] → codes of 8 → hidden codes of `narrow` → codes of 6 → y of 3. With `skip`, the input's
/// codes are also added to the hidden ones.
Graph chain(std::int64_t narrow, bool skip) {
  GraphBuilder builder("chain", Layout::channel_first);
  const auto weights = [&](const std::string& name, std::int64_t rows, std::int64_t columns) {
    Tensor tensor{.shape = {rows, columns}, .data = {}};
    for (std::int64_t i = 0; i < rows * columns; ++i) {
      tensor.data.push_back(static_cast<double>(i * 7 % 11 - 5) / 4);
    }
    return builder.fake_quantize(name + "_q", builder.initializer(name, tensor), fixed_point(5, 2),
                                 false);
  };
  const auto codes = [&](const char* name, const Symbol& x) {
    return builder.fake_quantize(name, x, fixed_point(6, 3), false);
  };
  const Symbol x = codes("in", builder.add_input("x", {1, 8}));
  Symbol hidden = builder.add("a", MatrixProduct{}, {x, weights("wa", 8, narrow)});
  if (skip) hidden = builder.add("sum", Binary{BinaryFunction::add}, {hidden, x});
  const Symbol middle = codes("middle", hidden);
  const Symbol late =
      codes("late", builder.add("b", MatrixProduct{}, {middle, weights("wb", narrow, 6)}));
  const Symbol y = builder.add("c", MatrixProduct{}, {late, weights("wc", 6, 3)});
  Graph graph = builder.finish("chain", {y}, {"y"});
  lower(graph);
  return graph;
}

std::string name_of(const Graph& graph, const std::optional<Bottleneck>& bottleneck) {
  if (!bottleneck) return "none";
  return fmt::format("{} of {}", graph.values[bottleneck->value].holds_codes ? "codes" : "numbers",
                     element_count(graph.values[bottleneck->value].shape));
}

std::vector<FaultTarget> targets_in(const Graph& graph, Part part) {
  FaultSpaceOptions options;
  options.parts = {part};
  return FaultSpace(graph, options).targets();
}

TEST(Bottleneck, IsTheNarrowestThatIsNarrowAndEarlyEnough) {
  const Graph narrow = chain(4, false);
  const auto find = [](const Graph& graph, const BottleneckLimits& limits) {
    return name_of(graph, find_bottleneck(graph, targets_in(graph, Part::inputs), limits));
  };
  EXPECT_EQ(find(narrow, kAny), "codes of 4");
  // After the middle come 4·6 + 6·3 multiply-adds, after the codes of 6 only 18.
  EXPECT_EQ(find(narrow, {64, 42}), "codes of 4");
  EXPECT_EQ(find(narrow, {64, 43}), "codes of 8");
  EXPECT_EQ(find(narrow, {3, 0}), "none");
  EXPECT_EQ(find(narrow, {}), "none");
  EXPECT_EQ(find(chain(8, false), kAny), "codes of 6");
}

TEST(Bottleneck, HasTheMostBitsUpstream) {
  const Graph graph = chain(4, false);
  std::vector<FaultTarget> weights = targets_in(graph, Part::weights);
  ASSERT_EQ(weights.size(), 3u);
  EXPECT_EQ(name_of(graph, find_bottleneck(graph, weights, kAny)), "codes of 6");
  EXPECT_EQ(name_of(graph, find_bottleneck(graph, weights, {64, 19})), "codes of 4");
  weights.resize(1);
  EXPECT_EQ(name_of(graph, find_bottleneck(graph, weights, kAny)), "codes of 4");
  EXPECT_EQ(name_of(graph, find_bottleneck(graph, weights, {64, 43})), "none");
}

TEST(Bottleneck, LetsNoPathPass) {
  const Graph graph = chain(8, true);
  const auto bottleneck =
      find_bottleneck(graph, targets_in(graph, Part::inputs), {.widest = 64, .least_work = 19});
  ASSERT_TRUE(bottleneck);
  // Two values of 8 codes are left; either has all paths through it.
  for (int n : bottleneck->tail) {
    for (const Input& input : graph.nodes[n].inputs) {
      if (input.kind != Input::Kind::value || input.id == bottleneck->value) continue;
      EXPECT_TRUE(std::ranges::any_of(
          bottleneck->tail, [&](int made) { return graph.nodes[made].output == input.id; }));
    }
  }
}

TEST(Bottleneck, KnowsWhatIsUpstream) {
  const Graph graph = chain(4, false);
  const auto bottleneck = find_bottleneck(graph, targets_in(graph, Part::inputs), kAny);
  ASSERT_TRUE(bottleneck);
  int upstream = 0, downstream = 0;
  const FaultSpace space = whole_space(graph);
  for (const FaultTarget& target : space.targets()) {
    const bool is_up = is_upstream(graph, *bottleneck, target);
    (is_up ? upstream : downstream) += 1;
    if (target.part == Part::weights || target.part == Part::inputs) {
      EXPECT_EQ(is_up, target.tensor == "wa" || target.tensor == "x") << target.tensor;
    }
  }
  EXPECT_GE(upstream, 4);
  EXPECT_GE(downstream, 3);
}

/// Runs to the bottleneck and on from there: the bits of a run to the output, in lanes of any
/// sample.
TEST(Bottleneck, ItsTailEndsAsTheWholeRun) {
  int found = 0, changed = 0;
  for (std::uint64_t seed = 0; seed < 150; ++seed) {
    testing::RandomNetwork random(seed);
    const Graph graph = random.make();
    const FaultSpace space = whole_space(graph);
    const auto bottleneck = find_bottleneck(graph, space.targets(), kAny);
    if (!bottleneck) continue;
    ++found;
    const Program program(graph);
    const Block golden = run_golden(program, random.samples(graph, 5).data(), 0, 5);
    FaultyRun run(program, space), to_bottleneck(program, space);
    Tail tail(program, *bottleneck);
    const std::size_t bytes = golden.values[graph.outputs[0]].size() * sizeof(float);
    Random draw(seed, 1);
    for (int k = 0; k < 20; ++k) {
      const Fault fault{FaultEffect::flip, {space.site(draw.below(space.size()))}};
      if (!is_upstream(graph, *bottleneck, space.targets()[fault.sites[0].target])) continue;
      const float* const codes = to_bottleneck.run_to(bottleneck->value, golden, fault);
      const float* const out = run(golden, fault);
      EXPECT_EQ(std::memcmp(tail(codes, golden.lanes), out, bytes), 0) << "network " << seed;
      changed += std::memcmp(out, golden.values[graph.outputs[0]].data(), bytes) != 0 ? 1 : 0;
    }
  }
  EXPECT_GT(found, 40);
  EXPECT_GT(changed, 100);
}

}  // namespace
}  // namespace flipscope
