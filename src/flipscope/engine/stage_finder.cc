// Where a program has stages.
#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "flipscope/engine/code_steps.h"
#include "flipscope/engine/program.h"
#include "flipscope/engine/stage.h"
#include "flipscope/engine/stage_weights.h"
#include "flipscope/ops/convolution.h"
#include "flipscope/ops/dot.h"

namespace flipscope {
namespace {

/// How often a value is read, by nodes or as an output of the graph.
std::vector<int> count_readers(const Graph& graph) {
  std::vector<int> readers(graph.values.size(), 0);
  for (const Node& node : graph.nodes) {
    for (const Input& input : node.inputs) {
      if (input.kind == Input::Kind::value) ++readers[input.id];
    }
  }
  for (int output : graph.outputs) ++readers[output];
  return readers;
}

class StageFinder {
 public:
  explicit StageFinder(const Program& program)
      : program_(program), graph_(*program.graph), readers_(count_readers(graph_)) {
    reader_.resize(graph_.values.size(), -1);
    maker_.resize(graph_.values.size(), -1);
    meets_wide_weights_.resize(graph_.values.size(), false);
    for (std::size_t n = 0; n < graph_.nodes.size(); ++n) {
      maker_[graph_.nodes[n].output] = static_cast<int>(n);
      for (const Input& input : graph_.nodes[n].inputs) {
        if (input.kind == Input::Kind::value) reader_[input.id] = static_cast<int>(n);
      }
      find_wide_weights(graph_.nodes[n]);
    }
  }

  std::optional<Stage> at(int head) const {
    const Node& node = graph_.nodes[head];
    const Accumulation* sum = accumulation(node.op);
    if (!sum || sum->rescale.empty() || node.inputs[1].kind != Input::Kind::constant) return {};
    if (node.inputs[0].kind != Input::Kind::value) return {};
    if (node.inputs.size() > 2 && node.inputs[2].kind == Input::Kind::value) return {};
    Stage stage{.nodes = {head}, .head = head, .input = node.inputs[0].id, .rescale = sum->rescale};
    const bool laid_out =
        std::holds_alternative<Convolution>(node.op)
            ? lay_out_convolution(stage)
            : std::holds_alternative<MatrixProduct>(node.op) && lay_out_product(stage);
    if (!laid_out || !pack_weights(program_, stage)) return {};
    stage.output = node.output;
    find_chain(stage);
    return stage;
  }

 private:
  void find_wide_weights(const Node& head) {
    if (!accumulation(head.op) || head.inputs[0].kind != Input::Kind::value) return;
    if (head.inputs[1].kind != Input::Kind::constant) return;
    const int weights = head.inputs[1].id;
    const double low = lowest_weight(Packing::bytes);
    const auto is_wide = [low](double weight) { return weight < low || weight >= -low; };
    // Where the format is wider than its codes, flips are what does not fit.
    const Encoding& encoding = graph_.stored[graph_.constants[weights].stored].encoding;
    if (encoding.format.bits <= bits_in_word(Packing::bytes) &&
        std::ranges::none_of(program_.wide[weights], is_wide)) {
      return;
    }
    const int value = head.inputs[0].id, made = maker_[value];
    meets_wide_weights_[value] = true;
    if (made < 0 || !std::holds_alternative<Rearrange>(graph_.nodes[made].op)) return;
    for (const Input& input : graph_.nodes[made].inputs) {
      if (input.kind == Input::Kind::value) meets_wide_weights_[input.id] = true;
    }
  }

  std::optional<PackedShape> shape_of(int value) const {
    return packed_shape(graph_.values[value], meets_wide_weights_[value]);
  }

  bool lay_out_convolution(Stage& stage) const {
    const Node& node = graph_.nodes[stage.head];
    const auto& op = std::get<Convolution>(node.op);
    const Input& x = node.inputs[0];
    const Shape& w = node.inputs[1].shape;
    const Shape& y = graph_.values[node.output].shape;
    if (x.shape[0] != 1 || x.shape != graph_.values[x.id].shape) return false;
    const auto in = shape_of(x.id);
    if (!in) return false;
    stage.in = *in;
    stage.channels = y[1];
    stage.plane = strides_of(y)[1];
    stage.kernel = strides_of(w)[1];
    stage.parts = op.groups;
    stage.reads = tap_positions(op, x.shape, w, y);
    return true;
  }

  /// A product of one row: a convolution whose kernel covers the input's whole plane. Its row may
  /// be a rearrangement of a value that nothing else reads in that order.
  bool lay_out_product(Stage& stage) const {
    const Node& node = graph_.nodes[stage.head];
    const Input& x = node.inputs[0];
    const Shape& w = node.inputs[1].shape;
    if (w.size() != 2 || element_count(x.shape) != w[0]) return false;
    if (node.inputs.size() > 2 && node.inputs[2].kind == Input::Kind::constant &&
        element_count(node.inputs[2].shape) != w[1]) {
      return false;
    }
    const int made = maker_[x.id];
    const auto* move = made < 0 ? nullptr : std::get_if<Rearrange>(&graph_.nodes[made].op);
    if (move && graph_.nodes[made].inputs.size() == 1 && readers_[x.id] == 1) {
      const Input& from = graph_.nodes[made].inputs[0];
      if (from.kind == Input::Kind::value &&
          move->source.size() == static_cast<std::size_t>(w[0])) {
        stage.input = from.id;
        stage.source = move->source;
        stage.nodes.insert(stage.nodes.begin(), made);
      }
    }
    if (stage.source.empty()) {
      for (std::int64_t i = 0; i < w[0]; ++i) stage.source.push_back(static_cast<std::int32_t>(i));
    }
    const auto in = shape_of(stage.input);
    if (!in) return false;
    std::vector<bool> used(in->channels * in->plane, false);
    for (std::int32_t source : stage.source) {
      if (source < 0 || used[source]) return false;
      used[source] = true;
    }
    stage.in = *in;
    stage.channels = w[1];
    stage.kernel = in->plane;
    for (std::int64_t k = 0; k < stage.kernel; ++k) {
      stage.reads.push_back(static_cast<std::int32_t>(k));
    }
    return true;
  }

  /// Follows the sums to the next codes, where every node on the way is a part of a chain that
  /// nothing else reads.
  void find_chain(Stage& stage) const {
    CodeChain chain{.rescale = stage.rescale, .channels = stage.channels};
    int value = stage.output;
    while (readers_[value] == 1 && reader_[value] >= 0) {
      const int next = reader_[value];
      if (!may_join_chain(graph_, graph_.nodes[next], value)) return;
      chain.nodes.push_back(next);
      value = graph_.nodes[next].output;
      if (!std::holds_alternative<Quantize>(graph_.nodes[next].op)) continue;
      const auto out = shape_of(value);
      if (!out || out->plane != stage.plane || out->channels != stage.channels) return;
      auto steps =
          fit_code_steps(program_, chain, stage.bound, out->zero, code_count(out->packing));
      if (!steps) return;
      stage.out = *out;
      stage.writes_codes = true;
      stage.last = std::move(steps->last);
      stage.steps = std::move(steps->steps);
      stage.steps.resize(stage.rows);
      stage.nodes.insert(stage.nodes.end(), chain.nodes.begin(), chain.nodes.end());
      stage.output = value;
      return;
    }
  }

  const Program& program_;
  const Graph& graph_;
  std::vector<int> readers_;
  std::vector<int> reader_;               ///< [value] the last node that reads it
  std::vector<int> maker_;                ///< [value]
  std::vector<bool> meets_wide_weights_;  ///< [value]
};

}  // namespace

std::vector<Stage> find_stages(const Program& program) {
  const StageFinder finder(program);
  std::vector<Stage> stages;
  for (std::size_t n = 0; n < program.graph->nodes.size(); ++n) {
    if (auto stage = finder.at(static_cast<int>(n))) stages.push_back(std::move(*stage));
  }
  return stages;
}

std::vector<std::optional<PackedShape>> packed_values(const Graph& graph,
                                                      const std::vector<Stage>& stages) {
  std::vector<std::optional<PackedShape>> packed(graph.values.size());
  for (const Stage& stage : stages) {
    packed[stage.input] = stage.in;
    if (stage.writes_codes) packed[stage.output] = stage.out;
  }
  return packed;
}

}  // namespace flipscope
