#include "flipscope/engine/decision_bound.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "flipscope/ops/convolution.h"
#include "flipscope/ops/matrix_product.h"

namespace flipscope {
namespace {

constexpr double kSlack = 1 + 1e-6;  ///< more than float32 and double lose in the bounds themselves
constexpr double kLeastMargin = 1e-30;   ///< beyond what float32 loses where it underflows
constexpr double kSoftmaxMargin = 1e-3;  ///< that a softmax in float32 still tells apart

std::int64_t channels_of(const Shape& shape) {
  return shape.size() > 1 && shape[0] == 1 ? shape[1] : 1;
}

/// Adds squares of size(number) to norms, [channel][lane].
template <typename Size>
std::vector<double> norms_of(const float* numbers, const Shape& shape, int lanes, Size size) {
  const std::int64_t channels = channels_of(shape), plane = element_count(shape) / channels;
  std::vector<double> norms(channels * lanes, 0.0);
  for (std::int64_t c = 0; c < channels; ++c) {
    for (std::int64_t i = c * plane; i < (c + 1) * plane; ++i) {
      for (int lane = 0; lane < lanes; ++lane) {
        const double one = size(std::fabs(double{numbers[i * lanes + lane]}), c);
        norms[c * lanes + lane] += one * one;
      }
    }
  }
  for (double& norm : norms) norm = std::sqrt(norm) * kSlack;
  return norms;
}

double least_margin(const Block& golden, int value, std::int64_t count, int lane) {
  std::vector<double> outputs;
  for (std::int64_t i = 0; i < count; ++i) {
    outputs.push_back(golden.values[value][i * golden.lanes + lane]);
    if (!std::isfinite(outputs.back())) return 0;
  }
  if (count < 2) return 0;
  std::ranges::nth_element(outputs, outputs.begin() + 1, std::greater<>());
  return outputs[0] - outputs[1];
}

}  // namespace

DecisionBound::DecisionBound(const DecisionGains& gains, const Program& program,
                             const Block& golden)
    : gains_(&gains), program_(&program), golden_(&golden) {
  const Graph& graph = *program.graph;
  const int decision = gains.decision();
  const std::int64_t outputs = element_count(graph.values[decision].shape);
  const double least = decision == graph.outputs[0] ? kLeastMargin : kSoftmaxMargin;
  for (int lane = 0; lane < golden.lanes; ++lane) {
    margins_.push_back(least_margin(golden, decision, outputs, lane) - least);
  }
  producer_.resize(graph.values.size(), -1);
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    producer_[graph.nodes[n].output] = static_cast<int>(n);
  }
  own_.resize(graph.nodes.size());
  from_.resize(graph.nodes.size() + 1);
  std::vector<double> sum(golden.lanes, 0.0);
  for (std::size_t n = graph.nodes.size(); n-- > 0;) {
    const Node& node = graph.nodes[n];
    from_[n + 1] = sum;
    const double gain = gains.of(node.output);
    if (gain == 0) continue;  // It does not reach the decision.
    own_[n] = std::isfinite(gain) ? rounding_of(node) : Rounding{};
    for (int lane = 0; lane < golden.lanes; ++lane) {
      double squares = own_[n].empty() ? std::numeric_limits<double>::infinity() : 0;
      for (std::size_t i = lane; i < own_[n].size(); i += golden.lanes)
        squares += own_[n][i] * own_[n][i];
      sum[lane] += 2 * gain * std::sqrt(squares);  // in both runs
    }
  }
  from_[0] = sum;
}

DecisionBound::Sizes DecisionBound::sizes_of(const Node& node) const {
  std::vector<AlignedVector<float>> absolute(node.inputs.size());
  std::vector<View<float>> views(node.inputs.size()), absolute_views(node.inputs.size());
  for (std::size_t k = 0; k < node.inputs.size(); ++k) {
    const Input& input = node.inputs[k];
    if (input.kind == Input::Kind::none) continue;
    const bool constant = input.kind == Input::Kind::constant;
    const auto& numbers = constant ? program_->constants[input.id] : golden_->values[input.id];
    for (const float number : numbers) absolute[k].push_back(std::fabs(number));
    views[k] = {numbers.data(), &input.shape, constant, nullptr};
    absolute_views[k] = {absolute[k].data(), &input.shape, constant, nullptr};
  }
  const Shape& shape = program_->graph->values[node.output].shape;
  const int lanes = golden_->lanes;
  const std::size_t size = element_count(shape) * lanes;
  Sizes sizes{AlignedVector<float>(size), AlignedVector<float>(size)};
  forward<float>(node.op, absolute_views, shape, sizes.absolute.data(), lanes);
  if (const auto* convolution = std::get_if<Convolution>(&node.op)) {
    partial_sums(*convolution, views, shape, sizes.partial.data(), lanes);
  } else {
    partial_sums(std::get<MatrixProduct>(node.op), views, shape, sizes.partial.data(), lanes);
  }
  return sizes;
}

DecisionBound::Rounding DecisionBound::rounding_of(const Node& node) const {
  const Graph& graph = *program_->graph;
  const Shape& shape = graph.values[node.output].shape;
  const int lanes = golden_->lanes;
  const float* out = golden_->values[node.output].data();
  const auto none = [&] { return Rounding(channels_of(shape) * lanes, 0.0); };
  if (const std::int64_t terms = DecisionGains::terms_of(graph, node)) {
    // Every step of a sum rounds its partial sum. Those of the other run differ by what changes
    // (decision_gain.cc) and, as those of partial_sums() do, by what either has rounded before.
    Sizes sizes = sizes_of(node);
    const double before = 4 * static_cast<double>(terms) * rounding_of_sum(2 * terms);
    for (std::size_t i = 0; i < sizes.partial.size(); ++i) {
      sizes.partial[i] = static_cast<float>(sizes.partial[i] + before * sizes.absolute[i]);
    }
    const double loss = kUnit * (1 + 2 * rounding_of_sum(terms));
    return norms_of(sizes.partial.data(), shape, lanes,
                    [loss](double s, std::int64_t) { return s * loss; });
  }
  if (std::holds_alternative<BatchNormalization>(node.op)) {
    if (node.inputs[2].kind != Input::Kind::constant) return {};
    // (x − mean)·factor is at most |y| + |b|.
    const float* bias = program_->constants[node.inputs[2].id].data();
    return norms_of(out, shape, lanes, [bias](double y, std::int64_t c) {
      return kUnit * (2 * y + std::fabs(double{bias[c]})) * kSlack;
    });
  }
  if (std::holds_alternative<Binary>(node.op)) {
    return norms_of(out, shape, lanes, [](double y, std::int64_t) { return kUnit * y; });
  }
  if (const std::int64_t terms = DecisionGains::terms_of_mean(graph, node)) {
    // The mean of |x|, passed on, is no longer than x.
    const float* x = golden_->values[node.inputs[0].id].data();
    const std::int64_t count = element_count(node.inputs[0].shape);
    const double loss = rounding_of_sum(terms);
    return norms_of(x, {count}, lanes, [loss](double one, std::int64_t) { return loss * one; });
  }
  return none();
}

double DecisionBound::radius_of(int value, double gain, int lane) const {
  if (!std::isfinite(gain) || gain == 0) return 0;
  const double left = margins_[lane] - from_[producer_[value] + 1][lane];
  return std::max(0.0, left / (gain * kSlack));
}

double DecisionBound::radius(int node, std::int64_t channel, int lane) const {
  if (own_[node].empty()) return 0;
  const Graph& graph = *program_->graph;
  const int value = graph.nodes[node].output;
  const double all = radius_of(value, gains_->of(value, channel), lane);
  const double own = 2 * own_[node][channel * golden_->lanes + lane];
  const std::int64_t terms = DecisionGains::terms_of(graph, graph.nodes[node]);
  return std::max(0.0, (all - own) / (kSlack * (1 + rounding_of_sum(terms))));
}

double DecisionBound::radius_of_difference(int value, const Ranges& elements, int lane) const {
  const Shape& shape = program_->graph->values[value].shape;
  const std::int64_t plane = element_count(shape) / channels_of(shape);
  const std::vector<std::int64_t> channels = blocks_met(elements, plane);
  const double gain =
      channels.size() == 1 ? gains_->of(value, channels.front()) : gains_->of(value);
  return radius_of(value, gain, lane) / kSlack;
}

}  // namespace flipscope
