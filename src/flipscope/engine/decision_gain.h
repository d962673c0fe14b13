// How much longer a change gets on its way to the difference of two outputs, at most.
//
// A change passes an operator at most as many times longer, in the Euclidean norm, as the
// operator's norm says (a ReLU or a maximum never makes it longer). So a change of a value reaches
// the difference of two outputs at most as long as the product of norms, summed over the paths
// where they branch. Operators without such a bound (a softmax inside the network, products of
// values, codes) bound nothing upstream of them.
#pragma once

#include <cstdint>
#include <vector>

#include "flipscope/engine/operator_norm.h"
#include "flipscope/engine/program.h"

namespace flipscope {

/// Of float32's rounding: the largest relative error.
constexpr double kUnit = 0x1p-24;

class DecisionGains {
 public:
  explicit DecisionGains(const Program& program);

  /// The value whose order is the decision.
  int decision() const { return decision_; }

  /// Of a change of the whole value, or of one channel (axis 1) alone. Infinite: not known.
  double of(int value) const { return all_[value]; }
  double of(int value, std::int64_t channel) const {
    return channel_[value].empty() ? all_[value] : channel_[value][channel];
  }

  /// Terms of each sum of a float convolution or matrix product by a constant, with the bias; 0 for
  /// all other nodes.
  static std::int64_t terms_of(const Graph& graph, const Node& node);

  /// Terms of each mean of average pooling or reduction, with its division; 0 for other nodes.
  static std::int64_t terms_of_mean(const Graph& graph, const Node& node);

 private:
  void pass_back(const Node& node);
  void add(const Input& input, double gain, const std::vector<double>& channels = {});

  const Program* program_;
  int decision_;
  std::vector<double> all_;                   ///< [value]
  std::vector<std::vector<double>> channel_;  ///< [value][channel]; empty: as all
};

/// The bound on the relative rounding of a float32 sum of so many terms, γ_K = K·u/(1 − K·u).
double rounding_of_sum(std::int64_t terms);

}  // namespace flipscope
