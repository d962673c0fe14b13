#include "flipscope/engine/nan_spread.h"

#include <algorithm>
#include <vector>

namespace flipscope {
namespace {

struct KeepsNan {
  bool operator()(const Convolution&) const { return true; }
  bool operator()(const MatrixProduct&) const { return true; }
  bool operator()(const BatchNormalization&) const { return true; }
  bool operator()(const Standardize&) const { return true; }
  bool operator()(const Rearrange&) const { return true; }
  bool operator()(const Pooling& op) const { return op.kind != Pooling::Kind::lp; }
  bool operator()(const Softmax& op) const { return op.kind != Softmax::Kind::hardmax; }
  bool operator()(const Reduce& op) const {
    return op.function == ReduceFunction::sum || op.function == ReduceFunction::mean;
  }
  bool operator()(const Unary& op) const {
    return op.function != UnaryFunction::is_inf && op.function != UnaryFunction::is_nan &&
           op.function != UnaryFunction::logical_not;
  }
  bool operator()(const Binary& op) const {
    return op.function == BinaryFunction::add || op.function == BinaryFunction::subtract ||
           op.function == BinaryFunction::multiply;
  }
  template <typename Other>
  bool operator()(const Other&) const {
    return false;
  }
};

}  // namespace

bool spreads_nan(const Graph& graph, int value) {
  std::vector<bool> reached(graph.values.size(), false);
  reached[value] = true;
  return std::ranges::all_of(graph.nodes, [&](const Node& node) {
    const bool reads = std::ranges::any_of(node.inputs, [&](const Input& input) {
      return input.kind == Input::Kind::value && reached[input.id];
    });
    if (!reads) return true;
    reached[node.output] = true;
    return std::visit(KeepsNan{}, node.op);
  });
}

}  // namespace flipscope
