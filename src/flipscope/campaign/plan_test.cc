#include "flipscope/campaign/plan.h"

#include <gtest/gtest.h>

#include "flipscope/model/builder.h"
#include "flipscope/model/lower.h"

namespace flipscope {
namespace {

/// 256 activations of 12 bits times weights of 8 bits: one changed weight fits float32, 200 do not.
Graph wide_sum() {
  GraphBuilder builder("test", Layout::channel_first);
  Symbol x = builder.add_input("x", {1, 256});
  x = builder.fake_quantize("act", x, fixed_point(12, 4, false), false);
  Symbol w = builder.initializer("fc.weight", {.shape = {256, 2}, .data = std::vector(512, 0.125)});
  w = builder.fake_quantize("wq", w, fixed_point(8, 2), false);
  Graph graph = builder.finish("fc", {builder.add("fc", MatrixProduct{}, {x, w})}, {"y"});
  lower(graph);
  return graph;
}

Carrier carrier_of(const std::string& faults) {
  CampaignOptions options;
  options.faults = faults;
  if (faults != "bit-flip") options.select = "random:10";
  Samples samples;
  samples.count = 1;
  samples.shape = {256};
  samples.values.assign(256, 1.0f);
  const Plan plan(options, wide_sum(), samples, "digest");
  for (const Node& node : plan.graph().nodes) {
    if (is_weighted(node)) return std::get<MatrixProduct>(node.op).accumulation.carrier;
  }
  ADD_FAILURE() << "no weighted layer";
  return Carrier::float32;
}

TEST(Plan, SumsAreWideEnoughForEveryBitOfATrial) {
  EXPECT_EQ(carrier_of("bit-flip"), Carrier::float32);
  EXPECT_EQ(carrier_of("burst:3"), Carrier::float32);
  EXPECT_EQ(carrier_of("multi:200"), Carrier::float64);
  EXPECT_EQ(carrier_of("rate:0.01"), Carrier::float64);
}

}  // namespace
}  // namespace flipscope
