#include "flipscope/analysis/fault_target.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>

#include "flipscope/analysis/test_network.h"
#include "flipscope/engine/golden.h"
#include "flipscope/numeric/random.h"

namespace flipscope {
namespace {

using testing::Network;

Accumulation accumulation_of(const Op& op) {
  return std::visit(
      [](const auto& kind) -> Accumulation {
        if constexpr (requires { kind.accumulation; }) return kind.accumulation;
        return {};
      },
      op);
}

TEST(FaultTarget, TermsAddUpToTheSum) {
  std::size_t sums = 0;
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    const Network net(seed, 2);
    const Block golden = run_golden(net.program, net.inputs.values.data(), 0, 2);
    for (const AnalysedLayer& layer : analysed_layers(net.graph, FaultKind::operands, {})) {
      const Node& node = net.graph.nodes[layer.node];
      const std::vector<double>& w = net.program.wide[weight_constant(node)];
      const std::vector<double>& scale = accumulation_of(node.op).rescale;
      std::uint64_t terms = 0;
      for (std::int64_t c = 0; c < layer.channels; ++c) {
        for (std::int64_t k = 0; k < layer.elements; ++k) {
          const std::int64_t e = element_of(net.graph, layer, c, k);
          double sum = 0;
          if (node.inputs.size() > 2 && node.inputs[2].kind == Input::Kind::constant) {
            const auto& bias = net.program.wide[node.inputs[2].id];
            sum = bias[bias.size() == 1 ? 0 : c];
          }
          for (const Term& term : terms_of(net.graph, layer.node, e)) {
            sum += w[term.weight] * golden.values[data_value(node)][term.input * golden.lanes];
            ++terms;
          }
          if (!scale.empty()) sum *= scale[scale.size() == 1 ? 0 : c];
          ASSERT_NEAR(sum, golden.values[node.output][e * golden.lanes],
                      1e-4 * (1 + std::fabs(sum)))
              << "seed " << seed << " layer " << layer.name;
          ++sums;
        }
      }
      const int bits = net.graph.values[data_value(node)].encoding.format.bits;
      EXPECT_EQ(terms * bits, layer.faults);
    }
  }
  EXPECT_GT(sums, 3000u);
}

TEST(FaultTarget, MapsOfOperandsCountEveryFlipOfEveryTerm) {
  Random random(1);
  std::size_t maps = 0, odd = 0;
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    const Network net(seed, 1);
    Block golden = run_golden(net.program, net.inputs.values.data(), 0, 1);
    for (const AnalysedLayer& layer : analysed_layers(net.graph, FaultKind::operands, {})) {
      const int source = data_value(net.graph.nodes[layer.node]);
      const Encoding& encoding = net.graph.values[source].encoding;
      if (encoding.format.kind != NumberFormat::Kind::float32) continue;
      for (float& x : golden.values[source]) {  // Any word: infinities, NaN, denormals.
        auto word = static_cast<std::uint32_t>(random.below(std::uint64_t{1} << 32));
        if (random.below(4) == 0) word &= 0x807fffff;
        if (random.below(4) == 0) word |= 0x7f800000;
        if (random.below(2) == 0) word = std::bit_cast<std::uint32_t>(x);
        x = std::bit_cast<float>(word);
        odd += std::isnormal(x) ? 0 : 1;
      }
      const std::vector<double>& w = net.program.wide[weight_constant(net.graph.nodes[layer.node])];
      const std::int64_t element = element_of(net.graph, layer, 0, 0);
      for (int flips = 1; flips <= 2; ++flips) {
        ErrorMap expected;
        for (const Term& term : terms_of(net.graph, layer.node, element)) {
          const float x = golden.values[source][term.input * golden.lanes];
          for (const Word mask : flip_masks(encoding.masks(0), flips)) {
            const auto word = std::bit_cast<std::uint32_t>(x) ^ static_cast<std::uint32_t>(mask);
            expected.add((double{std::bit_cast<float>(word)} - double{x}) * w[term.weight]);
          }
        }
        TargetMaps maps_of(net.program, layer, {0, element}, {.flips = flips});
        EXPECT_EQ(maps_of(golden, 0), expected) << "seed " << seed << " layer " << layer.name;
        ++maps;
      }
    }
  }
  EXPECT_GT(maps, 60u);
  EXPECT_GT(odd, 1000u);
}

TEST(FaultTarget, MapsOfFiltersCountEveryBitOfEveryProduct) {
  std::size_t maps = 0;
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    testing::RandomNetwork random(seed);
    Graph graph = random.make();
    const bool is_float = std::ranges::all_of(
        graph.stored, [](const StoredTensor& tensor) { return tensor.encoding.is_float(); });
    if (is_float && seed % 3 > 0) {  // Other float formats of the weights.
      for (StoredTensor& tensor : graph.stored) {
        const NumberFormat format = seed % 3 == 1 ? float16_format() : bfloat16_format();
        for (Word& word : tensor.words) {
          word = encode(format, decode(tensor.encoding.format, word));
        }
        tensor.encoding.format = format;
      }
    }
    const Program program(graph);
    const std::vector<float> inputs = random.samples(graph, 1);
    const Block golden = run_golden(program, inputs.data(), 0, 1);
    for (const AnalysedLayer& layer : analysed_layers(graph, FaultKind::filters, {})) {
      const Node& node = graph.nodes[layer.node];
      const Constant& constant = graph.constants[weight_constant(node)];
      const StoredTensor& stored = graph.stored[constant.stored];
      const std::vector<double> rescale = accumulation_of(node.op).rescale;
      ErrorMap expected;
      for (const Range& range : channel_elements(graph, layer, 0)) {
        for (std::int64_t output = range.first; output < range.last; ++output) {
          for (const Term& term : terms_of(graph, layer.node, output)) {
            const std::int64_t index =
                constant.source.empty() ? term.weight : constant.source[term.weight];
            const double w = read_element(graph, constant, term.weight, stored.words[index]);
            const double x = golden.values[data_value(node)][term.input * golden.lanes];
            for (int bit = 0; bit < stored.encoding.format.bits; ++bit) {
              const double now =
                  read_element(graph, constant, term.weight, flip(stored.words[index], bit));
              const double change = (now - w) * (rescale.empty() ? 1 : rescale[0]);
              expected.add(change == 0 ? 0 : change * x);
            }
          }
        }
      }
      TargetMaps maps_of(program, layer, {0, -1}, {.filters = FilterErrors::by_place});
      const ErrorMap found = maps_of(golden, 0);
      EXPECT_EQ(found, expected) << "seed " << seed << " layer " << layer.name;
      ++maps;
    }
  }
  EXPECT_GT(maps, 60u);
}

}  // namespace
}  // namespace flipscope
