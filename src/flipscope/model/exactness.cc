// The proof that sums of codes are exact: how far from 0 they can get, whatever is struck.
#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

#include "flipscope/model/lower.h"
#include "flipscope/ops/dot.h"

namespace flipscope {
namespace {

/// The numbers, centered codes times a factor, that a word may come to stand for.
struct CodeRange {
  double lowest = 0, highest = 0;

  double largest() const { return std::max(-lowest, highest); }
};

CodeRange code_range(const Encoding& encoding, double factor) {
  NumberFormat whole = encoding.format;
  whole.narrow = false;  // a flip reaches every word
  const auto [least, most] = std::ranges::minmax(encoding.zero_point);
  return {(lowest(whole) - most) * factor, (highest(whole) - least) * factor};
}

/// The same of an element with a format of its own: flips reach no other words.
CodeRange code_range(const ElementBits& element, const std::vector<double>& zero_point) {
  if (element.count == 0) return {};
  const NumberFormat own = integer_format(element.count, element.is_signed);
  const double step = std::ldexp(1.0, element.lowest);
  const auto [least, most] = std::ranges::minmax(zero_point);
  return {lowest(own) * step - most, highest(own) * step - least};
}

/// The most by which products can raise and lower a sum: w·x for a weight within `w`.
struct Reach {
  double up = 0, down = 0;

  Reach(const CodeRange& w, const CodeRange& x)
      : up(std::max({w.highest * x.highest, w.lowest * x.lowest, 0.0})),
        down(std::max({-w.lowest * x.highest, -w.highest * x.lowest, 0.0})) {}
};

/// Σ of the `count` largest.
double largest_sum(std::vector<double>& numbers, double count) {
  const auto end = numbers.begin() + static_cast<std::ptrdiff_t>(
                                         std::min(count, static_cast<double>(numbers.size())));
  std::nth_element(numbers.begin(), end, numbers.end(), std::greater<>());
  return std::accumulate(numbers.begin(), end, 0.0);
}

/// How far a sum of one channel can get from 0 on its way, whatever the order of its terms: all
/// that raise it or all that lower it, with the `struck` words that can add most to either.
class ChannelBound {
 public:
  explicit ChannelBound(const CodeRange& x) : x_(x) {}

  /// A weight, and what it may be struck to.
  void add_weight(double w, const CodeRange& anything) {
    const Reach golden({w, w}, x_), struck(anything, x_);
    up_ += golden.up;
    down_ += golden.down;
    more_up_.push_back(struck.up - golden.up);
    more_down_.push_back(struck.down - golden.down);
  }
  void add_bias(const CodeRange& bias) {
    up_ += std::max(bias.highest, 0.0);
    down_ += std::max(-bias.lowest, 0.0);
  }
  double operator()(double struck) {
    return std::max(up_ + largest_sum(more_up_, struck), down_ + largest_sum(more_down_, struck));
  }

 private:
  CodeRange x_;
  double up_ = 0, down_ = 0;
  std::vector<double> more_up_, more_down_;
};

/// The most elements of a constant that read one stored word.
double most_readers(const Constant& constant) {
  if (constant.source.empty()) return 1;
  std::vector<std::int32_t> sources = constant.source;
  std::erase_if(sources, [](std::int32_t at) { return at < 0; });
  std::sort(sources.begin(), sources.end());
  std::ptrdiff_t most = 1;
  for (auto run = sources.begin(); run != sources.end();) {
    const auto end = std::upper_bound(run, sources.end(), *run);
    most = std::max(most, end - run);
    run = end;
  }
  return static_cast<double>(most);
}

ExactnessProof prove(const Graph& graph, int index, const FaultLoad& load) {
  const Node& node = graph.nodes[index];
  ExactnessProof proof{.node = index};
  const Input& x = node.inputs[0];
  const Input& w = node.inputs[1];
  const bool codes = x.kind == Input::Kind::value && w.kind == Input::Kind::constant &&
                     graph.values[x.id].holds_codes && !accumulation(node.op)->rescale.empty();
  if (!codes) {
    const bool real_x = x.kind != Input::Kind::value || !graph.values[x.id].holds_codes;
    const bool real_w = w.kind != Input::Kind::constant ||
                        graph.stored[graph.constants[w.id].stored].encoding.is_float();
    proof.reason = real_x && real_w ? "float weights and activations"
                   : real_w         ? "float weights"
                                    : "activations are not codes of one scale";
    return proof;
  }
  proof.sums_codes = true;

  const Constant& weights = graph.constants[w.id];
  const std::vector<double> elements = read_constant(graph, weights);
  const Encoding& encoding = graph.stored[weights.stored].encoding;
  const CodeRange x_range = code_range(graph.values[x.id].encoding, 1);
  const CodeRange w_range = code_range(encoding, 1);
  const bool product = std::holds_alternative<MatrixProduct>(node.op);
  const bool transposed = std::holds_alternative<TransposedConvolution>(node.op);
  const std::int64_t channels = product      ? weights.shape.back()
                                : transposed ? weights.shape[1]
                                             : weights.shape[0];
  const std::int64_t inner = product      ? 1
                             : transposed ? strides_of(weights.shape)[1]
                                          : strides_of(weights.shape)[0];
  std::vector<ChannelBound> bounds(channels, ChannelBound(x_range));
  for (std::size_t i = 0; i < elements.size(); ++i) {
    const std::int64_t at =
        weights.source.empty() ? static_cast<std::int64_t>(i) : weights.source[i];
    const CodeRange anything = at < 0 ? CodeRange{elements[i], elements[i]}
                               : encoding.elements.empty()
                                   ? w_range
                                   : code_range(encoding.elements[at], encoding.zero_point);
    bounds[static_cast<std::int64_t>(i) / inner % channels].add_weight(elements[i], anything);
  }
  if (node.inputs.size() > 2 && node.inputs[2].kind == Input::Kind::constant) {
    const Constant& bias = graph.constants[node.inputs[2].id];
    const std::vector<double> golden = read_constant(graph, bias);
    const double factor = *std::ranges::max_element(bias.scale);
    const CodeRange anything = code_range(graph.stored[bias.stored].encoding, factor);
    const auto [least, largest] = std::ranges::minmax(golden);
    const bool by_channel = std::ssize(golden) == channels;
    for (std::int64_t c = 0; c < channels; ++c) {
      const CodeRange own =
          by_channel ? CodeRange{golden[c], golden[c]} : CodeRange{least, largest};
      bounds[c].add_bias(load.biases ? anything : own);
    }
  }
  const double struck = load.words * most_readers(weights);
  // The change of one word times x is added to sums, too.
  double most = (w_range.highest - w_range.lowest) * x_range.largest();
  for (ChannelBound& bound : bounds) most = std::max(most, bound(struck));
  proof.bound = most;
  proof.carrier = most <= 0x1p24 ? Carrier::float32 : Carrier::float64;
  proof.exact = most <= 0x1p53;
  if (!proof.exact) proof.reason = "the sum does not fit 2^53";
  return proof;
}

}  // namespace

std::vector<ExactnessProof> prove_exactness(const Graph& graph, const FaultLoad& load) {
  std::vector<ExactnessProof> proofs;
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    if (is_weighted(graph.nodes[n])) proofs.push_back(prove(graph, static_cast<int>(n), load));
  }
  return proofs;
}

void choose_carriers(Graph& graph, const FaultLoad& load) {
  for (const ExactnessProof& proof : prove_exactness(graph, load)) {
    std::visit(
        [&](auto& op) {
          if constexpr (requires { op.accumulation; }) op.accumulation.carrier = proof.carrier;
        },
        graph.nodes[proof.node].op);
  }
}

}  // namespace flipscope
