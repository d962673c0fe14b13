// What a vulnerability analysis looks at: elements and channels that faults perturb, and how far.
//
// Operands: an input as read by one output element moves that element. Stored: a flipped element
// of the activation that a layer reads moves itself, for all its readers. Filters: a flipped weight
// moves its whole output channel, wherever and by as much as its inputs say.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "flipscope/analysis/error_map.h"
#include "flipscope/engine/golden.h"
#include "flipscope/engine/ranges.h"

namespace flipscope {

enum class FaultKind { operands, stored, filters };

const char* to_string(FaultKind kind);

/// A weighted node, seen as one of the kinds. Channels are those of its output; for stored
/// activations those of its input. Each row (or column) of a matrix product is a channel.
struct AnalysedLayer {
  std::string name;
  FaultKind kind = FaultKind::operands;
  int node = -1;
  int value = -1;  ///< what faults move: the node's output, or the activation it reads
  std::int64_t channels = 0;
  std::int64_t elements = 0;  ///< of the value, in one channel
  std::uint64_t faults = 0;   ///< bits of this kind in the layer
  std::int64_t outputs = 0;   ///< elements of the node's output
  std::int64_t weights = 0;
};

/// All weighted nodes of a graph, in order. Nodes whose matrices lie in batches are left out and
/// named in `left_out`. Layers: globs; empty: all. Throws Error where nothing is left.
std::vector<AnalysedLayer> analysed_layers(const Graph& graph, FaultKind kind,
                                           const std::vector<std::string>& globs,
                                           std::vector<std::string>* left_out = nullptr);

/// Element number `k` of a channel of the layer's value.
std::int64_t element_of(const Graph& graph, const AnalysedLayer& layer, std::int64_t channel,
                        std::int64_t k);

/// All elements of a channel.
Ranges channel_elements(const Graph& graph, const AnalysedLayer& layer, std::int64_t channel);

/// One product of an affine sum: input element times weight element (of the constant).
struct Term {
  std::int32_t input = 0;
  std::int32_t weight = 0;
};

/// The products that an output element of a weighted node sums, padding left out.
std::vector<Term> terms_of(const Graph& graph, int node, std::int64_t output);

/// The data operand's value of a weighted node, and its constant.
int data_value(const Node& node);
int weight_constant(const Node& node);

/// What a fault may target: one element, or with element −1 a whole channel (filters).
struct FaultTargetPlace {
  std::int64_t channel = 0;
  std::int64_t element = -1;
};

/// A weight of a filter.
struct FilterWeight {
  std::int32_t element = 0;          ///< of the constant
  std::int64_t word = 0;             ///< of the stored tensor
  std::vector<std::int32_t> inputs;  ///< elements that it multiplies, once for each product
};

std::vector<FilterWeight> filter_weights(const Graph& graph, const AnalysedLayer& layer,
                                         std::int64_t channel);

/// Whether each word of the layer's weights is one factor of this node's products alone, so that a
/// flip moves one channel.
bool strikes_one_channel(const Program& program, const AnalysedLayer& layer);

/// What flipping the bits of `mask` adds to a product of the weight, in units of the layer's
/// output, for each unit of the input.
double weight_change(const Graph& graph, const AnalysedLayer& layer, std::int64_t channel,
                     const FilterWeight& weight, Word mask);

/// Root of the mean square over a channel's `places` of the inputs that a weight multiplies, with
/// the sign of their sum, [lane]; x [element][lane].
std::vector<double> typical_inputs(const float* x, int lanes, const FilterWeight& weight,
                                   std::int64_t places);

/// How the map of a filter counts a flipped weight, which moves each place of its channel by
/// another δ = Δw·x.
enum class FilterErrors {
  by_place,  ///< once for each place, by the δ there, as the paper does
  by_fault,  ///< once, by the root mean square of δ over the channel
};

struct MapOptions {
  int flips = 1;  ///< distinct bits of a word that flip together
  FilterErrors filters = FilterErrors::by_fault;
};

/// Error maps of one target, sample by sample. Owns scratch memory: one for each thread.
class TargetMaps {
 public:
  TargetMaps(const Program& program, const AnalysedLayer& layer, const FaultTargetPlace& place,
             const MapOptions& options);

  ErrorMap operator()(const Block& golden, int lane);

 private:
  void add_changes(const Block& golden, int lane, std::int64_t input, double factor,
                   ErrorMap& map) const;
  void add_float_changes(float x, double factor, ErrorMap& map) const;

  const Program* program_;
  AnalysedLayer layer_;
  FaultTargetPlace place_;
  FilterErrors filters_;
  int source_ = -1;  ///< value that is read
  double rescale_ = 1;
  std::vector<Term> terms_;            ///< operands
  std::vector<FilterWeight> weights_;  ///< filters
  std::vector<Changes> changes_;       ///< [weight] by each mask
  /// Of the activation: flips of one bit of a float32's fraction, which move it by a power of two
  /// (the largest first), and all others.
  std::vector<Word> fraction_masks_, masks_;
  std::vector<std::vector<double>> typical_;  ///< [weight][lane] inputs
  std::uint64_t typical_of_ = 0;              ///< block
  ProductCounter counter_;
};

}  // namespace flipscope
