#include "flipscope/model/lower.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "flipscope/model/prune.h"
#include "flipscope/ops/dot.h"

namespace flipscope {
namespace {

/// A real value that is code·scale, with the code at hand.
struct Codes {
  int value = -1;
  double scale = 1;
};

class Lowering {
 public:
  explicit Lowering(Graph& graph) : graph_(graph), codes_(graph.values.size()) {}

  void run() {
    std::vector<Node> nodes = std::exchange(graph_.nodes, {});
    for (Node& node : nodes) {
      if (const auto* dequantize = std::get_if<Dequantize>(&node.op)) {
        const Input& in = node.inputs[0];
        if (in.kind == Input::Kind::value && graph_.values[in.id].holds_codes &&
            dequantize->scale.size() == 1) {
          codes_[node.output] = Codes{in.id, dequantize->scale[0]};
        }
        graph_.nodes.push_back(std::move(node));
      } else if (commutes(node)) {
        move_codes(std::move(node));
      } else if (!sum_codes(node)) {
        graph_.nodes.push_back(std::move(node));
      }
    }
  }

 private:
  std::optional<Codes> codes_of(const Input& input) const {
    if (input.kind != Input::Kind::value) return {};
    return codes_[input.id];
  }

  int new_value(Value value) {
    graph_.values.push_back(std::move(value));
    codes_.emplace_back();
    return static_cast<int>(graph_.values.size()) - 1;
  }

  /// f(code·scale) = f(code)·scale, for all inputs alike.
  bool commutes(const Node& node) const {
    const auto* move = std::get_if<Rearrange>(&node.op);
    const auto* pool = std::get_if<Pooling>(&node.op);
    const auto* unary = std::get_if<Unary>(&node.op);
    const bool kind = (move && move->fill == 0) || (pool && pool->kind == Pooling::Kind::max) ||
                      (unary && unary->function == UnaryFunction::relu);
    if (!kind || node.inputs.empty()) return false;
    const std::optional<Codes> first = codes_of(node.inputs[0]);
    if (!first || first->scale <= 0) return false;
    return std::all_of(node.inputs.begin(), node.inputs.end(), [&](const Input& input) {
      const std::optional<Codes> codes = codes_of(input);
      return codes && codes->scale == first->scale &&
             graph_.values[codes->value].encoding == graph_.values[first->value].encoding;
    });
  }

  void move_codes(Node node) {
    const Codes first = *codes_of(node.inputs[0]);
    Value value = graph_.values[first.value];
    value.name = graph_.values[node.output].name;
    value.shape = graph_.values[node.output].shape;
    const int moved = new_value(std::move(value));
    for (Input& input : node.inputs) input.id = codes_of(input)->value;
    const int real = std::exchange(node.output, moved);
    Node back{.name = node.name, .layer = node.layer, .op = Dequantize{{first.scale}, -1}};
    back.inputs.push_back({Input::Kind::value, moved, graph_.values[moved].shape});
    back.output = real;
    codes_[real] = Codes{moved, first.scale};
    graph_.nodes.push_back(std::move(node));
    graph_.nodes.push_back(std::move(back));
  }

  /// Scale of the weights of each output channel, if they are codes with one scale per channel.
  std::optional<std::vector<double>> channel_scales(const Node& node,
                                                    const Constant& weights) const {
    const StoredTensor& stored = graph_.stored[weights.stored];
    const NumberFormat::Kind kind = stored.encoding.format.kind;
    if (kind != NumberFormat::Kind::integer && kind != NumberFormat::Kind::bipolar) return {};
    if (weights.scale.size() == 1) return weights.scale;
    const Shape& out = graph_.values[node.output].shape;
    const bool product = std::holds_alternative<MatrixProduct>(node.op);
    const std::int64_t channels = product ? out.back() : out[1];
    std::vector<double> scales(channels, 0.0);
    const std::int64_t count = element_count(weights.shape);
    for (std::int64_t i = 0; i < count; ++i) {
      const std::int64_t channel = output_channel(node, weights.shape, i);
      const std::int64_t at = weights.source.empty() ? i : weights.source[i];
      if (at < 0) continue;
      const double scale = weights.scale[stored.encoding.channel(at, stored.shape)];
      if (scales[channel] != 0 && scales[channel] != scale) return {};
      scales[channel] = scale;
    }
    std::ranges::replace(scales, 0.0, 1.0);  // Channels that read no word.
    return scales;
  }

  /// What the weights are filled with in codes of their channels, where these are whole.
  static std::optional<std::vector<double>> filled_codes(const Node& node, const Constant& weights,
                                                         const std::vector<double>& scales) {
    std::vector<double> codes = weights.filled;
    for (std::int64_t i = 0; i < std::ssize(codes); ++i) {
      if (weights.source[i] >= 0) continue;
      const double scale = scales[scales.size() == 1 ? 0 : output_channel(node, weights.shape, i)];
      codes[i] = std::round(weights.filled[i] / scale);
      if (codes[i] * scale != weights.filled[i]) return {};
    }
    return codes;
  }

  static std::int64_t output_channel(const Node& node, const Shape& w, std::int64_t i) {
    if (std::holds_alternative<MatrixProduct>(node.op)) return i % w.back();
    const std::int64_t per_first = strides_of(w)[0];
    if (std::holds_alternative<Convolution>(node.op)) return i / per_first;
    const auto& op = std::get<TransposedConvolution>(node.op);
    const std::int64_t group = i / per_first / (w[0] / op.groups);
    return group * w[1] + i % per_first / strides_of(w)[1];
  }

  /// The factors that bring the bias's codes into the units of the sum, where they are whole.
  std::optional<std::vector<double>> bias_factors(const Constant& bias,
                                                  const std::vector<double>& rescale) const {
    const StoredTensor& stored = graph_.stored[bias.stored];
    if (stored.encoding.format.kind != NumberFormat::Kind::integer) return {};
    if (!bias.filled.empty()) return {};
    if (rescale.size() > 1 && bias.scale.size() != rescale.size()) {
      if (bias.scale.size() != 1) return {};
      const bool alike =
          std::all_of(rescale.begin(), rescale.end(), [&](double x) { return x == rescale[0]; });
      if (!alike) return {};
    }
    std::vector<double> factors;
    for (std::size_t k = 0; k < bias.scale.size(); ++k) {
      const double factor = bias.scale[k] / rescale[rescale.size() == 1 ? 0 : k];
      // A bias scale that is stored in float32 differs from the product of two others by rounding.
      constexpr double kFloatRounding = 0x1p-22;
      if (factor < 0.5 || std::abs(factor - std::round(factor)) > kFloatRounding * factor)
        return {};
      factors.push_back(std::round(factor));
    }
    return factors;
  }

  /// Makes a weighted layer sum codes; false where it cannot.
  bool sum_codes(const Node& node) {
    if (!is_weighted(node) || node.inputs[1].kind != Input::Kind::constant) return false;
    const std::optional<Codes> x = codes_of(node.inputs[0]);
    if (!x) return false;
    const NumberFormat::Kind x_kind = graph_.values[x->value].encoding.format.kind;
    if (x_kind != NumberFormat::Kind::integer && x_kind != NumberFormat::Kind::bipolar)
      return false;
    const Constant weights = graph_.constants[node.inputs[1].id];
    const std::optional<std::vector<double>> scales = channel_scales(node, weights);
    if (!scales) return false;
    std::optional<std::vector<double>> filled = filled_codes(node, weights, *scales);
    if (!filled) return false;

    Node sum = node;
    std::vector<double> rescale = *scales;
    for (double& factor : rescale) factor *= x->scale;
    std::visit(
        [&](auto& op) {
          if constexpr (requires { op.accumulation; }) op.accumulation.rescale = rescale;
        },
        sum.op);
    sum.inputs[0].id = x->value;
    sum.inputs[1].id = reread(node.inputs[1].id, {1.0});
    graph_.constants.back().filled = std::move(*filled);

    const bool has_bias = sum.inputs.size() > 2 && sum.inputs[2].kind != Input::Kind::none;
    if (!has_bias) {
      graph_.nodes.push_back(std::move(sum));
      return true;
    }
    if (sum.inputs[2].kind == Input::Kind::constant) {
      const auto factors = bias_factors(graph_.constants[sum.inputs[2].id], rescale);
      if (factors) {
        sum.inputs[2].id = reread(sum.inputs[2].id, *factors);
        graph_.nodes.push_back(std::move(sum));
        return true;
      }
    }
    add_bias_after(std::move(sum));
    return true;
  }

  int reread(int constant, std::vector<double> scale) {
    Constant copy = graph_.constants[constant];
    copy.scale = std::move(scale);
    graph_.constants.push_back(std::move(copy));
    return static_cast<int>(graph_.constants.size()) - 1;
  }

  /// A bias off the grid of the sum is one float addition after it.
  void add_bias_after(Node sum) {
    Input bias = std::exchange(sum.inputs[2], Input{});
    sum.inputs.pop_back();
    const int real = sum.output;
    Value value = graph_.values[real];
    sum.output = new_value(value);
    if (!std::holds_alternative<MatrixProduct>(sum.op)) {
      bias.shape = Shape(value.shape.size() - 1, 1);
      bias.shape[0] = value.shape[1];
    }
    Node add{.name = sum.name, .layer = sum.layer, .op = Binary{BinaryFunction::add}};
    add.inputs = {{Input::Kind::value, sum.output, value.shape}, bias};
    add.output = real;
    graph_.nodes.push_back(std::move(sum));
    graph_.nodes.push_back(std::move(add));
  }

  Graph& graph_;
  std::vector<std::optional<Codes>> codes_;
};

}  // namespace

void lower(Graph& graph) {
  Lowering(graph).run();
  remove_unused(graph);
  assign_parts(graph);
  choose_carriers(graph);
  check(graph);
}

}  // namespace flipscope
