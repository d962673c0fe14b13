#include "flipscope/engine/decision_gain.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "flipscope/engine/line_check.h"

namespace flipscope {
namespace {

/// At least, of a value that reaches the decision: a change that is short enough overflows nowhere,
/// and what underflows does not matter.
constexpr double kLeast = 1e-26;
constexpr double kUnknown = std::numeric_limits<double>::infinity();

/// Windows that share an input element, at most.
double windows_of_element(const Pooling& op) {
  double windows = 1;
  for (std::size_t a = 0; a < op.kernel.size(); ++a) {
    windows *= std::ceil(static_cast<double>(op.kernel[a]) / static_cast<double>(op.stride[a]));
  }
  return windows;
}

/// True where every window lies inside the input.
bool is_inside(const Pooling& op, const Shape& x) {
  for (std::size_t a = 0; a < op.kernel.size(); ++a) {
    const std::int64_t reach = (op.output[a] - 1) * op.stride[a] + op.kernel[a];
    if (op.dilation[a] != 1 || op.pad_begin[a] != 0 || reach > x[a + 2]) return false;
  }
  return true;
}

/// True for functions that keep or shorten differences and round nothing.
bool is_short(const Unary& op) {
  switch (op.function) {
    case UnaryFunction::identity:
    case UnaryFunction::negative:
    case UnaryFunction::abs:
    case UnaryFunction::relu:
      return true;
    case UnaryFunction::clip:
      return op.alpha <= op.beta;
    default:
      return false;
  }
}

/// Each channel's factor of a normalization by constants, at most; empty for other nodes.
std::vector<double> factors_of(const Program& program, const Node& node) {
  const auto* op = std::get_if<BatchNormalization>(&node.op);
  const bool plain = op && node.inputs[0].kind == Input::Kind::value &&
                     node.inputs[0].shape[0] == 1 &&
                     std::all_of(node.inputs.begin() + 1, node.inputs.end(),
                                 [](const Input& i) { return i.kind == Input::Kind::constant; });
  if (!plain) return {};
  const auto constant = [&](int k) { return program.constants[node.inputs[k].id].data(); };
  std::vector<double> factors(node.inputs[0].shape[1]);
  for (std::size_t c = 0; c < factors.size(); ++c) {
    const double variance = double{constant(4)[c]} + op->epsilon;
    factors[c] = std::fabs(double{constant(1)[c]}) / std::sqrt(variance) * (1 + 8 * kUnit) +
                 std::numeric_limits<float>::min();
  }
  return factors;
}

/// The only node that reads a value, or null.
const Node* only_reader(const Graph& graph, int value) {
  const Node* reader = nullptr;
  for (const Node& node : graph.nodes) {
    for (const Input& input : node.inputs) {
      if (input.kind != Input::Kind::value || input.id != value) continue;
      if (reader) return nullptr;
      reader = &node;
    }
  }
  return std::ranges::count(graph.outputs, value) == 0 ? reader : nullptr;
}

/// How often a movement copies an element, at most.
double copies_of_element(const Rearrange& op) {
  std::map<std::int64_t, int> copies;
  int most = 1;
  for (const auto source : op.source) {
    if (source >= 0) most = std::max(most, ++copies[source]);
  }
  return most;
}

}  // namespace

double rounding_of_sum(std::int64_t terms) {
  const double loss = static_cast<double>(terms) * kUnit;
  return loss / (1 - loss);
}

std::int64_t DecisionGains::terms_of(const Graph& graph, const Node& node) {
  const auto* convolution = std::get_if<Convolution>(&node.op);
  const auto* product = std::get_if<MatrixProduct>(&node.op);
  if (!convolution && !product) return 0;
  const Accumulation& sum = convolution ? convolution->accumulation : product->accumulation;
  const Input& x = node.inputs[0];
  const Input& w = node.inputs[1];
  const bool plain = sum.rescale.empty() && x.kind == Input::Kind::value &&
                     w.kind == Input::Kind::constant &&
                     (node.inputs.size() < 3 || node.inputs[2].kind != Input::Kind::value);
  if (!plain) return 0;
  if (convolution) return x.shape[0] == 1 ? strides_of(w.shape)[0] + 1 : 0;
  const bool row = w.shape.size() == 2 && element_count(x.shape) == w.shape[0] &&
                   graph.values[node.output].shape == Shape{1, w.shape[1]};
  return row ? w.shape[0] + 1 : 0;
}

std::int64_t DecisionGains::terms_of_mean(const Graph& graph, const Node& node) {
  const Shape& x = node.inputs[0].shape;
  const auto* pooling = std::get_if<Pooling>(&node.op);
  if (pooling && pooling->kind == Pooling::Kind::average && is_inside(*pooling, x)) {
    return element_count(pooling->kernel) + 1;
  }
  const auto* reduce = std::get_if<Reduce>(&node.op);
  if (reduce && reduce->function == ReduceFunction::mean) {
    return element_count(x) / element_count(graph.values[node.output].shape) + 1;
  }
  return 0;
}

DecisionGains::DecisionGains(const Program& program)
    : program_(&program),
      decision_(decision_input(*program.graph)),
      all_(program.graph->values.size(), 0),
      channel_(program.graph->values.size()) {
  const Graph& graph = *program.graph;
  // |Δa − Δb| ≤ √2·‖Δ‖ for two elements of Δ.
  all_[decision_] = std::sqrt(2.0);
  for (std::size_t n = graph.nodes.size(); n-- > 0;) {
    const Node& node = graph.nodes[n];
    // Behind the decision's value comes at most a softmax, which keeps the order.
    if (node.output == graph.outputs[0] && node.output != decision_) continue;
    if (all_[node.output] > 0) pass_back(node);
  }
}

void DecisionGains::add(const Input& input, double gain, const std::vector<double>& channels) {
  if (input.kind != Input::Kind::value) return;
  const Shape& shape = program_->graph->values[input.id].shape;
  std::vector<double>& to = channel_[input.id];
  const auto count = shape.size() > 1 && shape[0] == 1 ? static_cast<std::size_t>(shape[1]) : 0;
  if (to.empty()) to.assign(count, all_[input.id]);
  const bool fits = channels.size() == count && shape == input.shape;
  for (std::size_t c = 0; c < count; ++c) to[c] += (fits ? channels[c] : gain) + kLeast;
  all_[input.id] += gain + kLeast;
}

void DecisionGains::pass_back(const Node& node) {
  const Graph& graph = *program_->graph;
  const Shape& shape = graph.values[node.output].shape;
  const double all = all_[node.output];
  std::vector<double> channels = channel_[node.output];
  const Input& x = node.inputs[0];
  if (const std::int64_t terms = terms_of(graph, node)) {
    const Shape& w_shape = node.inputs[1].shape;
    const auto* convolution = std::get_if<Convolution>(&node.op);
    AlignedVector<float> w = program_->constants[node.inputs[1].id];
    double behind = all;
    // A normalization's factors belong to the rows: their largest alone says too much.
    const Node* reader = convolution ? only_reader(graph, node.output) : nullptr;
    if (const std::vector<double> factors =
            reader ? factors_of(*program_, *reader) : std::vector<double>{};
        !factors.empty()) {
      const std::int64_t row = strides_of(w_shape)[0];
      for (std::size_t i = 0; i < w.size(); ++i) w[i] = static_cast<float>(w[i] * factors[i / row]);
      behind = all_[reader->output];
    }
    const OperatorNorm norm = convolution
                                  ? convolution_norm(*convolution, x.shape, w_shape, w.data())
                                  : matrix_norm(w.data(), w_shape[0], w_shape[1]);
    // The other run's rounding grows with the change; and factors have been rounded here.
    const double rounding = rounding_of_sum(terms + 1) * norm.absolute;
    channels.clear();
    for (const double one : norm.channel) channels.push_back(behind * (one + rounding));
    return add(x, behind * (norm.all + rounding), channels);
  }
  if (std::holds_alternative<BatchNormalization>(node.op)) {
    const std::vector<double> factors = factors_of(*program_, node);
    if (factors.empty()) return add(x, kUnknown);
    channels = factors;
    for (std::size_t c = 0; c < factors.size(); ++c) {
      channels[c] *= of(node.output, static_cast<std::int64_t>(c));
    }
    return add(x, all * std::ranges::max(factors), channels);
  }
  if (const auto* move = std::get_if<Rearrange>(&node.op)) {
    for (const Input& input : node.inputs) add(input, all * std::sqrt(copies_of_element(*move)));
    return;
  }
  if (const auto* op = std::get_if<Unary>(&node.op); op && is_short(*op)) {
    return add(x, all, channels);
  }
  if (const auto* op = std::get_if<Binary>(&node.op);
      op && (op->function == BinaryFunction::add || op->function == BinaryFunction::subtract)) {
    for (const Input& input : node.inputs) {
      add(input,
          element_count(input.shape) == element_count(shape) ? all * (1 + 2 * kUnit) : kUnknown);
    }
    return;
  }
  const auto* pooling = std::get_if<Pooling>(&node.op);
  if (pooling && pooling->kind == Pooling::Kind::max &&
      std::ranges::all_of(pooling->dilation, [](std::int64_t d) { return d == 1; })) {
    return add(x, all * std::sqrt(windows_of_element(*pooling)));
  }
  if (const std::int64_t terms = terms_of_mean(graph, node)) {
    const double windows = pooling ? windows_of_element(*pooling) : 1;
    const double shares = windows / static_cast<double>(terms - 1);
    return add(x, all * std::sqrt(shares) * (1 + rounding_of_sum(terms)));
  }
  for (const Input& input : node.inputs) add(input, kUnknown);
}

}  // namespace flipscope
