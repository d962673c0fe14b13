// The backward pass: gradients of a loss and Hessian-vector products, with respect to stored words.
//
// The network is run in double precision. Quantizers are taken straight through (their offsets and
// masks frozen, see ops/jacobian.h), so the Hessian is the ordinary one of the network between two
// roundings. H·v is the derivative of the gradient along v: a forward pass with tangents, then a
// backward pass on dual numbers (Pearlmutter, Neural Computation 6, 1994).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "flipscope/model/graph.h"
#include "flipscope/model/samples.h"
#include "flipscope/numeric/aligned.h"
#include "flipscope/numeric/dual.h"
#include "flipscope/score/loss.h"

namespace flipscope {

/// Stored tensors laid end to end, as one vector of parameters: the real number (decode(word) −
/// zero_point)·scale that each stored word stands for.
struct Parameters {
  Parameters(const Graph& graph, std::vector<int> tensors);

  std::vector<int> stored;          ///< indices of Graph::stored
  std::vector<std::int64_t> first;  ///< of each tensor, and the total
  std::int64_t size() const { return first.back(); }
};

/// The parameters' values.
std::vector<double> parameter_values(const Graph& graph, const Parameters& parameters);

/// The numbers of the file, before quantizers: what training moves.
std::vector<double> latent_values(const Graph& graph, const Parameters& parameters);

/// Values (or tangents, or cotangents) of one block: [value][element][lane]; absent ones are empty.
template <typename T>
using BlockValues = std::vector<AlignedVector<T>>;

/// A network's mean loss over samples as a function of parameters. Graph, samples and loss must
/// outlive it. Results do not depend on the number of threads: blocks of samples are added up in a
/// fixed order. Memory: one block's values per thread, and a fixed number of parameter vectors.
class Objective {
 public:
  /// Samples of one block, one in each lane. Small, since a block keeps every value in double.
  static constexpr int kLanes = 16;

  /// Throws Error where the graph has not one input and one output. Cross-entropy of a network that
  /// ends in a softmax reads the softmax's input.
  Objective(const Graph& graph, const Samples& samples, const Loss& loss, Parameters parameters);

  /// The value that a loss reads: the graph's output, or the input of its final softmax.
  static int loss_input(const Graph& graph, const LossSpec& spec);

  const Graph& graph() const { return *graph_; }
  const Parameters& parameters() const { return parameters_; }

  /// The loss at the stored words.
  double loss() const;
  /// ∂loss/∂parameter.
  std::vector<double> gradient() const;
  /// H·direction.
  std::vector<double> hessian_product(std::span<const double> direction) const;

  /// Blocks of samples, and how many samples block b has.
  std::int64_t blocks() const;
  int samples_in(std::int64_t b) const;
  /// Block b run in double.
  BlockValues<double> run(std::int64_t b) const;
  /// Cotangents of all values of block b that depend on a parameter: of the loss (summed, not
  /// averaged, over samples), or of probe number `probe` of its curvature.
  BlockValues<double> loss_cotangents(std::int64_t b, const BlockValues<double>& values) const;
  BlockValues<double> curvature_cotangents(std::int64_t b, const BlockValues<double>& values,
                                           std::uint64_t seed, std::uint64_t probe) const;
  /// The same of element `element` of output(): a row of each sample's Jacobian.
  BlockValues<double> output_cotangents(const BlockValues<double>& values,
                                        std::int64_t element) const;
  /// The loss, and the first sample of block b.
  const Loss& loss_function() const { return *loss_; }
  static std::int64_t first_sample(std::int64_t b) { return b * kLanes; }
  /// Elements of a constant, and the parameter that each reads (−1, or empty: none) with
  /// ∂element/∂parameter.
  const std::vector<double>& constant(int id) const { return constants_[id]; }
  const std::vector<std::int64_t>& reads(int id) const { return reads_[id]; }
  const std::vector<double>& factors(int id) const { return factors_[id]; }
  /// The value that the loss reads.
  int output() const { return output_; }

  /// Moves one parameter (the index counts as `parameters` does) to another real number.
  void set(std::int64_t parameter, double value);

 private:
  template <typename T>
  struct Sums;  ///< what blocks of samples add up to

  BlockValues<double> push_tangents(
      const BlockValues<double>& values,
      const std::vector<std::vector<double>>& constant_tangents) const;
  /// Cotangents of which only the output's are there: the loss's.
  template <typename T>
  BlockValues<T> loss_seed(std::int64_t b, const BlockValues<T>& values) const;
  template <typename T>
  void pull_back(const BlockValues<T>& values, const std::vector<std::vector<T>>& constants,
                 BlockValues<T>& cotangents, Sums<T>* sums) const;
  template <typename T, typename Block>
  Sums<T> over_blocks(const Block& block) const;
  std::vector<double> to_parameters(const std::vector<std::vector<double>>& constants) const;

  const Graph* graph_;
  const Samples* samples_;
  const Loss* loss_;
  Parameters parameters_;
  int output_;                                  ///< the value that the loss reads
  std::vector<std::vector<double>> constants_;  ///< [constant][element]
  /// [constant][element]: which parameter it reads, and ∂element/∂parameter. Empty: none.
  std::vector<std::vector<std::int64_t>> reads_;
  std::vector<std::vector<double>> factors_;
  std::vector<char> varies_;  ///< [value] 1 where it depends on a parameter
};

}  // namespace flipscope
