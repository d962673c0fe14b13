#include "flipscope/engine/decision_bound.h"

#include <algorithm>
#include <cmath>
#include <limits>

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
  own_.resize(graph.nodes.size());
  behind_.resize(graph.nodes.size());
  std::vector<double> sum(golden.lanes, 0.0);
  for (std::size_t n = graph.nodes.size(); n-- > 0;) {
    const Node& node = graph.nodes[n];
    behind_[n] = sum;
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
}

DecisionBound::Rounding DecisionBound::rounding_of(const Node& node) const {
  const Graph& graph = *program_->graph;
  const Shape& shape = graph.values[node.output].shape;
  const int lanes = golden_->lanes;
  const float* out = golden_->values[node.output].data();
  const auto none = [&] { return Rounding(channels_of(shape) * lanes, 0.0); };
  if (const std::int64_t terms = DecisionGains::terms_of(graph, node)) {
    // Σ|w·x| + |b|, by the operator itself.
    std::vector<AlignedVector<float>> absolute(node.inputs.size());
    std::vector<View<float>> views;
    for (std::size_t k = 0; k < node.inputs.size(); ++k) {
      const Input& input = node.inputs[k];
      View<float> view;
      if (input.kind != Input::Kind::none) {
        const bool constant = input.kind == Input::Kind::constant;
        const auto& numbers = constant ? program_->constants[input.id] : golden_->values[input.id];
        for (const float number : numbers) absolute[k].push_back(std::fabs(number));
        view = {absolute[k].data(), &input.shape, constant, nullptr};
      }
      views.push_back(view);
    }
    AlignedVector<float> sums(element_count(shape) * lanes);
    forward<float>(node.op, views, shape, sums.data(), lanes);
    const double loss = rounding_of_sum(terms) * (1 + rounding_of_sum(2 * terms));
    return norms_of(sums.data(), shape, lanes, [loss](double s, std::int64_t) { return s * loss; });
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

double DecisionBound::radius(int node, std::int64_t channel, int lane) const {
  const int value = program_->graph->nodes[node].output;
  const double gain = gains_->of(value, channel);
  if (own_[node].empty() || !std::isfinite(gain) || gain == 0) return 0;
  const double left = (margins_[lane] - behind_[node][lane]) / (gain * kSlack);
  const double own = 2 * own_[node][channel * golden_->lanes + lane];
  const std::int64_t terms =
      DecisionGains::terms_of(*program_->graph, program_->graph->nodes[node]);
  const double radius = (left - own) / (kSlack * (1 + rounding_of_sum(terms)));
  return radius > 0 ? radius : 0;
}

}  // namespace flipscope
