// Statistical fault injection: how many faults a sample needs, and which they are.
//
// Of a population of N faults, a share p of which is expected to be critical, a sample of
//   n = N / (1 + e²·(N − 1) / (t²·p·(1 − p)))
// estimates the true share within ±e (Leveugle et al., DATE'09; by layer and bit: StatFI, Ruospo et
// al., DATE'23).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "flipscope/fault/fault_space.h"
#include "flipscope/model/graph.h"

namespace flipscope {

/// The populations that are sampled on their own, with what is expected of them:
///   network  all bits of the space; p = 0.5
///   layer    the bits of each tensor; p = 0.5
///   unaware  each bit position of each tensor; p = 0.5
///   aware    the same; p by how far flips of the bit move the weights
enum class SamplingMethod { network, layer, unaware, aware };

/// Throws Error where the text is none of the four names.
SamplingMethod parse_sampling_method(const std::string& text);
std::string to_string(SamplingMethod method);

struct SamplePrecision {
  double error = 0.01;  ///< e, the margin of error
  double confidence = 0.95;
};

/// Throw Error where the number lies outside 0 < x < 1; `option` names it.
double parse_open_share(const std::string& option, const std::string& text);

/// t of a confidence: the two-sided normal quantile, rounded to four decimals, as tables print it:
/// 1.96 for 95%, 2.5758 for 99%.
double t_value(double confidence);

/// n, not rounded; 0 where p is 0.
double sample_size(std::uint64_t population, double p, const SamplePrecision& precision);

/// Which bit positions of a tensor move its words so far that they are set aside.
struct OutlierRule {
  enum class Kind {
    none,
    quartiles,  ///< beyond the third quartile by `factor` times the quartiles' distance (Tukey)
    largest,    ///< the `factor` largest
  };
  Kind kind = Kind::quartiles;
  double factor = 1.5;

  bool operator==(const OutlierRule&) const = default;
};

/// "none", "iqr:K" with K ≥ 0, "largest:N". Throws Error where the text is none of them.
OutlierRule parse_outlier_rule(const std::string& text);
std::string to_string(const OutlierRule& rule);

/// [target][position in FaultTarget::bits] mean |Δw| over the tensor's words when this bit is
/// flipped; infinite where a flip gives Inf or NaN.
using BitDistances = std::vector<std::vector<double>>;

/// Throws Error where a target is not stored: it has no words that could be read.
BitDistances mean_distances(const Graph& graph, const FaultSpace& space);

/// p of each bit position of one tensor, from its mean distances: outliers (and what is infinite)
/// 0.5, the others from 0 at the smallest to 0.5 at the largest. All 0.5 where the others are
/// equal.
std::vector<double> expected_shares(const std::vector<double>& distances, const OutlierRule& rule);

/// A population that is sampled on its own.
struct Stratum {
  int target = -1;  ///< of the space; −1: all
  int bit = -1;     ///< −1: all
  std::uint64_t population = 0;
  double p = 0.5;
};

/// In the order of the space. `distances` are needed by `aware` alone.
std::vector<Stratum> make_strata(const FaultSpace& space, SamplingMethod method,
                                 const BitDistances& distances = {}, const OutlierRule& rule = {});

/// Numbers of faults of the space, ascending: of each stratum n of them, rounded up and at least
/// one, every set equally likely.
std::vector<std::uint64_t> draw_strata(const FaultSpace& space, const std::vector<Stratum>& strata,
                                       const SamplePrecision& precision, std::uint64_t seed);

}  // namespace flipscope
