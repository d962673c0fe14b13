// Sensitivity: what derivatives of a loss say about stored words and their bits, without injecting
// (FKeras: Weng et al., "FKeras: A Sensitivity Analysis Tool for Edge Neural Networks", ACM JATS
// 2024).
//
// Below, g is the gradient of the loss with respect to the words' values w, H its Hessian with
// eigenpairs (λᵢ, vᵢ), Δ what a flip adds to its word's value, and θ the numbers that a quantizer
// made the words of (w where none did).
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "flipscope/analysis/kept_steps.h"
#include "flipscope/analysis/ranking.h"
#include "flipscope/analysis/spectrum.h"
#include "flipscope/engine/backward.h"

namespace flipscope {

enum class Metric {
  random,    ///< every order equally likely
  msb,       ///< most significant bits first, words as they are stored
  gradient,  ///< words by |g|
  taylor,    ///< words by (g·θ)²
  hessian,   ///< words by |Σ λᵢ(vᵢ·θ)vᵢ| over the largest eigenpairs; see HessianVariant
  /// Bits by how far they lie above their word's inflection point, the lowest bit whose flip should
  /// score more than 0 by `flip` (see inflection.h): what the paper's outlook proposes.
  inflection,
  trace,  ///< bits by the trace of the Hessian of the network with this bit flipped
  flip,   ///< bits by how far this flip should move the outputs (analysis/local_step)
};

/// Throws Error that lists the metrics where the text is none of them.
Metric parse_metric(const std::string& text);

/// How `hessian` combines eigenpairs: exact, as the paper prints it, or as its code computes it.
enum class HessianVariant {
  exact,  ///< |Σ λᵢ(vᵢ·θ)vᵢ| of the true eigenpairs
  paper,  ///< Σ λᵢ(vᵢ·θ)vᵢ, signed (Eq. 3): words that would lower the loss come last
  code,  ///< Σ |λᵢ²(vᵢ·θ)vᵢ|, with eigenpairs by power iteration and blockwise deflation
};

/// Throws Error that lists the variants where the text is none of them.
HessianVariant parse_variant(const std::string& text);

struct RankOptions {
  Metric metric = Metric::hessian;
  HessianVariant variant = HessianVariant::exact;
  int top = 8;               ///< eigenpairs
  std::int64_t probes = 32;  ///< trace, flip: Hutchinson's
  std::uint64_t seed = 0;
  KeptSteps kept;  ///< hessian: products; inflection, flip: parts of the samples
};

/// Called after each gradient or Hessian-vector product: how many were made.
using ProductsDone = std::function<void(std::uint64_t)>;

/// The parameters that a fault space covers, in its order, so that parameter numbers count its
/// words. Throws Error where a target is no stored tensor.
Parameters parameters_of(const Graph& graph, const FaultSpace& space);

/// Tensors of one layer: parameters first … last − 1.
struct LayerSpan {
  std::string layer;
  std::int64_t first = 0, last = 0;
};
std::vector<LayerSpan> layers_of(const Graph& graph, const Parameters& parameters);

/// The Hessian, and its diagonal block of a layer, as operators. The objective must outlive them.
Product hessian_of(const Objective& objective, const ProductsDone& done);
Product hessian_of(const Objective& objective, const LayerSpan& layer, const ProductsDone& done);

/// The eigenpairs that `hessian` ranks by.
std::vector<Eigenpair> ranking_eigenpairs(const Objective& objective, const RankOptions& options,
                                          const ProductsDone& done);

/// What a flip of each bit adds to its word's value, as the space numbers bits; NaN or infinite
/// where the flipped word is no finite number.
std::vector<double> flip_changes(const Graph& graph, const FaultSpace& space);

/// All bits of the space, ranked. The objective's parameters are parameters_of(space).
Ranking rank(const Objective& objective, const FaultSpace& space, const RankOptions& options,
             const ProductsDone& done);

}  // namespace flipscope
