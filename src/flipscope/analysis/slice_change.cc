#include "flipscope/analysis/slice_change.h"

#include <algorithm>

#include "flipscope/engine/strike.h"
#include "flipscope/ops/affine_runs.h"

namespace flipscope {
namespace {

/// Adds (faulty − golden)·unit of one element unless it is 0 in every lane.
void add_difference(SliceChange& change, std::int64_t element, const float* golden,
                    const float* faulty, float unit, int lanes) {
  const std::size_t at = change.d.size();
  change.d.resize(at + lanes);
  float* d = change.d.data() + at;
  int differing = 0;
  for (int l = 0; l < lanes; ++l) {
    d[l] = (faulty[l] - golden[l]) * unit;
    differing += d[l] != 0 ? 1 : 0;
  }
  if (differing == 0) {
    change.d.resize(at);
  } else {
    change.elements.push_back(static_cast<std::int32_t>(element));
  }
}

}  // namespace

std::vector<float> units_of(const Graph& graph, const Slice& slice) {
  std::vector<float> units;
  for (const int v : slice.outputs) {
    const Value& value = graph.values[v];
    const std::int64_t elements = element_count(value.shape);
    for (std::int64_t e = 0; e < elements; ++e) {
      const double unit =
          value.holds_codes ? value.encoding.scale_of(value.encoding.channel(e, value.shape)) : 1;
      units.push_back(static_cast<float>(unit));
    }
  }
  return units;
}

SliceRun::SliceRun(const Program& program, const FaultSpace& space, const Slicing& slicing,
                   const std::vector<std::vector<float>>& units)
    : program_(&program), slicing_(&slicing), units_(&units), run_(program, space) {}

const SliceChange& SliceRun::operator()(std::size_t slice, const Block& golden,
                                        const Fault& fault) {
  change_.clear();
  std::int64_t first = 0;
  for (const int value : slicing_->slices[slice].outputs) {
    const float* faulty = run_.run_to(value, golden, fault);
    const float* expected = golden.values[value].data();
    for (const Range& range : run_.changed(value)) {
      for (std::int64_t e = range.first; e < range.last; ++e) {
        add_difference(change_, first + e, expected + e * golden.lanes, faulty + e * golden.lanes,
                       (*units_)[slice][first + e], golden.lanes);
      }
    }
    first += element_count(program_->graph->values[value].shape);
  }
  return change_;
}

WeightUpdate::WeightUpdate(const Program& program, const FaultSpace& space, const Slicing& slicing)
    : program_(&program), space_(&space), slicing_(&slicing) {}

const WeightUpdate::Touches& WeightUpdate::touches_of(int stored, const Slice& slice) {
  auto [entry, is_new] = touches_.try_emplace(stored);
  if (!is_new) return entry->second;
  const Graph& graph = *program_->graph;
  Touches& touches = entry->second;
  touches.element.resize(graph.stored[stored].words.size());
  touches.of.resize(graph.stored[stored].words.size());
  const Node& node = graph.nodes[slice.first];
  const int data = data_operand(node);
  const Constant& weights = graph.constants[node.inputs[1 - data].id];
  std::visit(
      [&](const auto& op) {
        if constexpr (requires { op.accumulation; }) {
          for_each_term(op, node.inputs[0].shape, node.inputs[1].shape,
                        graph.values[node.output].shape, [&](const AffineTerm& term) {
                          const std::int64_t w = data == 0 ? term.second : term.first;
                          const std::int64_t word = weights.source.empty() ? w : weights.source[w];
                          if (word < 0) return;
                          touches.element[word] = w;
                          touches.of[word].push_back(
                              {static_cast<std::int32_t>(term.output),
                               static_cast<std::int32_t>(data == 0 ? term.first : term.second),
                               rescale_of(op.accumulation, term.channel)});
                        });
        }
      },
      node.op);
  return touches;
}

const SliceChange& WeightUpdate::operator()(std::size_t index, const Block& golden,
                                            const Fault& fault) {
  change_.clear();
  const Graph& graph = *program_->graph;
  const Slice& slice = slicing_->slices[index];
  const FaultSite& site = fault.sites.front();
  const int stored = space_->targets()[site.target].id;
  const Node& node = graph.nodes[slice.first];
  const int data = data_operand(node);
  const Constant& weights = graph.constants[node.inputs[1 - data].id];
  const Word before = graph.stored[stored].words[site.index];
  const Word after =
      strike(fault.effect, graph.stored[stored].encoding, site.index, before, site.bit);
  // A word stands for one number wherever it is read but for the scale of its channel, which all
  // its readers share.
  const Touches& touches = touches_of(stored, slice);
  const std::int64_t element = touches.element[site.index];
  const double change =
      read_element(graph, weights, element, after) - read_element(graph, weights, element, before);
  const float* x = golden.values[node.inputs[data].id].data();
  const int lanes = golden.lanes;
  std::vector<float> own(lanes);
  const std::vector<float> zero(lanes, 0.0F);
  for (const Touch& touch : touches.of[site.index]) {
    const auto step = static_cast<float>(touch.factor * change);
    for (int l = 0; l < lanes; ++l) own[l] = step * x[touch.data * lanes + l];
    add_difference(change_, touch.output, zero.data(), own.data(), 1, lanes);
  }
  return change_;
}

}  // namespace flipscope
