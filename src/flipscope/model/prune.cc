#include "flipscope/model/prune.h"

#include <array>
#include <string_view>

namespace flipscope {
namespace {

/// New numbers for the kept entries of a list, in the order in which they are first asked for.
class Renumbering {
 public:
  explicit Renumbering(std::size_t size) : to_(size, -1) {}

  int operator()(int old) {
    if (to_[old] < 0) {
      to_[old] = static_cast<int>(order_.size());
      order_.push_back(old);
    }
    return to_[old];
  }
  template <typename T>
  void apply(std::vector<T>& list) const {
    std::vector<T> kept;
    kept.reserve(order_.size());
    for (int old : order_) kept.push_back(std::move(list[old]));
    list = std::move(kept);
  }

 private:
  std::vector<int> to_;
  std::vector<int> order_;
};

/// "layer1.0.conv1.weight", "fc.weight_quantized" (as ONNX Runtime's quantizer calls it) and
/// "conv2d/kernel" name their layer; other initializers do not.
std::string layer_of_name(std::string name) {
  constexpr std::string_view kQuantized = "_quantized";
  if (name.ends_with(kQuantized)) name.resize(name.size() - kQuantized.size());
  constexpr std::array<std::string_view, 12> kSuffixes{
      ".weight", ".bias", ".running_mean", ".running_var", ".gamma",       ".beta",
      ".mean",   ".var",  ".scale",        ".kernel",      ".moving_mean", ".moving_variance"};
  for (std::string_view suffix : kSuffixes) {
    if (name.size() > suffix.size() && name.ends_with(suffix)) {
      return name.substr(0, name.size() - suffix.size());
    }
  }
  const std::size_t slash = name.rfind('/');
  if (slash != std::string::npos && slash > 0 && slash + 1 < name.size()) {
    constexpr std::array<std::string_view, 12> kVariables{"kernel",
                                                          "bias",
                                                          "gamma",
                                                          "beta",
                                                          "moving_mean",
                                                          "moving_variance",
                                                          "depthwise_kernel",
                                                          "pointwise_kernel",
                                                          "alpha",
                                                          "mean",
                                                          "variance",
                                                          "embeddings"};
    for (std::string_view variable : kVariables) {
      if (name.substr(slash + 1) == variable) return name.substr(0, slash);
    }
  }
  return {};
}

/// The part that the constant at `position` of the node's inputs belongs to.
Part part_at(const Node& node, std::size_t position) {
  if (is_weighted(node)) return position == 2 ? Part::biases : Part::weights;
  if (std::holds_alternative<BatchNormalization>(node.op)) return Part::normalization;
  if (const auto* binary = std::get_if<Binary>(&node.op)) {
    switch (binary->function) {
      case BinaryFunction::add:
      case BinaryFunction::subtract:
        return Part::biases;
      case BinaryFunction::multiply:
      case BinaryFunction::divide:
      case BinaryFunction::prelu:
        return Part::normalization;
      default:
        break;
    }
  }
  return Part::none;
}

}  // namespace

void remove_unused(Graph& graph) {
  std::vector<bool> needed(graph.values.size(), false);
  for (int output : graph.outputs) needed[output] = true;
  std::vector<Node> kept;
  for (std::size_t n = graph.nodes.size(); n-- > 0;) {
    Node& node = graph.nodes[n];
    if (!needed[node.output]) continue;
    for (const Input& input : node.inputs) {
      if (input.kind == Input::Kind::value) needed[input.id] = true;
    }
    kept.push_back(std::move(node));
  }
  graph.nodes.assign(std::make_move_iterator(kept.rbegin()), std::make_move_iterator(kept.rend()));

  Renumbering values(graph.values.size()), constants(graph.constants.size()),
      stored(graph.stored.size());
  for (int& input : graph.inputs) input = values(input);
  for (Node& node : graph.nodes) {
    for (Input& input : node.inputs) {
      if (input.kind == Input::Kind::value) input.id = values(input.id);
      if (input.kind == Input::Kind::constant) {
        stored(graph.constants[input.id].stored);
        input.id = constants(input.id);
      }
    }
    node.output = values(node.output);
  }
  for (int& output : graph.outputs) output = values(output);
  values.apply(graph.values);
  constants.apply(graph.constants);
  for (Constant& constant : graph.constants) constant.stored = stored(constant.stored);
  stored.apply(graph.stored);
}

void assign_parts(Graph& graph) {
  for (Node& node : graph.nodes) {
    node.layer = node.name;
    for (std::size_t k = 0; k < node.inputs.size(); ++k) {
      if (node.inputs[k].kind != Input::Kind::constant) continue;
      StoredTensor& tensor = graph.stored[graph.constants[node.inputs[k].id].stored];
      if (tensor.name.empty()) continue;
      if (tensor.layer.empty()) {
        const std::string layer = layer_of_name(tensor.name);
        tensor.layer = layer.empty() ? node.name : layer;
        const bool plain_integers = tensor.encoding.format == integer_format(32) &&
                                    tensor.encoding.scale.size() == 1 &&
                                    tensor.encoding.scale[0] == 1.0 && !is_weighted(node);
        if (!plain_integers) tensor.part = part_at(node, k);
      }
      if (is_weighted(node) && k < 2) node.layer = tensor.layer;
      if (std::holds_alternative<BatchNormalization>(node.op) && k == 1) node.layer = tensor.layer;
    }
  }
}

}  // namespace flipscope
