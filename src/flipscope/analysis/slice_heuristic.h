// Heuristics: what a change of a slice's outputs says about the network's, without running the
// rest.
//
// Each is a small pure function of one sample's change d = y' − y, y being the slice's expected
// outputs, to a number h, negative only where a change may also improve the outputs; a reduction
// makes one score of a fault's numbers over samples. `slice_heuristic.cc` has the table, with the
// formulas.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "flipscope/score/loss.h"

namespace flipscope {

/// What a heuristic looks at, beside Σ|dᵢ|.
enum SliceNeed : unsigned {
  kNeedsNothing = 0,
  kNeedsCentroids = 1,
  kNeedsAxes = 2,  ///< and centroids
  kNeedsReadOut = 4,
  kNeedsJacobian = 8,
  kNeedsGradient = 16,
  kNeedsDecision = 32,  ///< only networks that decide have it
  kNeedsNorms = 64,     ///< Σdᵢ², max|dᵢ|, y·d
};

/// Numbers of one sample that lie `step` apart.
struct Strided {
  const float* at = nullptr;
  int size = 0, step = 1;

  double operator[](int i) const { return at[i * step]; }
};

/// One sample's change. c_k: mean expected output y of the samples of class k.
struct SampleChange {
  double l1 = 0, squared = 0, largest = 0;      ///< Σ|dᵢ|, Σdᵢ², max|dᵢ|
  double along = 0;                             ///< y·d
  double golden_squared = 0;                    ///< ‖y‖²
  int own = 0;                                  ///< the sample's class
  Strided to_centroid{};                        ///< c_k·d
  std::span<const double> distance{};           ///< ‖y − c_k‖²
  Strided on_axis{};                            ///< v_i·d, v_i: principal axes within classes
  std::span<const double> position{};           ///< v_i·y
  std::span<const double> centroid_position{};  ///< [class][axis] v_i·c_k
  std::span<const double> variance{};           ///< along v_i; and off all axes, last
  Strided read_out{};                           ///< W·d, W: linear read-out of the outputs
  Strided jacobian{};                           ///< J·d, J: ∂output/∂y of this sample
  double gradient = 0;                          ///< ∂loss/∂y·d
  Strided output{};                             ///< the network's expected outputs z
  LossSpec::Kind loss = LossSpec::Kind::mse;    ///< cross-entropy or mse
  std::span<const float> target{};              ///< mse: what z should be
  int label = 0;                                ///< cross-entropy: what z should say
};

struct Heuristic {
  const char* name;
  const char* formula;
  unsigned needs;
  double bar;  ///< the reduction `share` counts |h| above it
  double (*value)(const SampleChange&);
};

std::span<const Heuristic> heuristics();

/// How numbers of samples become one score of a fault.
enum class Reduction {
  mean,     ///< of |h|
  net,      ///< |mean of h|
  rms,      ///< root of the mean square
  max,      ///< of |h|
  share,    ///< of samples with |h| above the heuristic's bar
  bounded,  ///< mean of |h|/(1 + |h|)
};

std::span<const char* const> reduction_names();

/// A column of scores.
struct SliceColumn {
  const Heuristic* heuristic = nullptr;
  Reduction reduction = Reduction::mean;

  std::string name() const;  ///< "centroid:mean"
};

/// "centroid", "centroid:max", "all", "centroid:all", "all:all"; the reduction is `mean` unless
/// said. `decides` says whether the network has decisions: "all" leaves out what needs them where
/// it has none. Throws Error that lists names where one is unknown, or comes twice.
std::vector<SliceColumn> parse_columns(const std::vector<std::string>& texts, bool decides);

/// A fault's score, sample by sample and block by block.
class Reducer {
 public:
  explicit Reducer(const SliceColumn& column) : column_(column) {}

  /// `sum` starts at 0. NaN counts as infinite.
  void add(double h, double& sum) const;
  double finish(double sum, std::int64_t samples) const;

 private:
  SliceColumn column_;
};

}  // namespace flipscope
