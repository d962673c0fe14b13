// Losses: differentiable scores, and their derivatives with respect to a network's outputs.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "flipscope/model/samples.h"

namespace flipscope {

struct LossSpec {
  enum class Kind { mse, cross_entropy, groups };
  Kind kind = Kind::mse;
  std::string file{};  ///< groups
};

/// "mse", "cross-entropy", "groups:FILE.csv". Throws Error that lists them where the text is
/// anything else.
LossSpec parse_loss(const std::string& text);

/// The spelling that parse_loss() reads.
std::string to_string(const LossSpec& spec);

/// A weighted sum over levels of groups of outputs, as the "telescope" loss of the ECON-T
/// autoencoder takes it over cells, supercells and sectors of a sensor.
struct LossLevel {
  struct Group {
    double weight = 1;
    std::vector<std::int64_t> elements;  ///< indices of outputs, which add up
  };
  double factor = 1;
  std::vector<Group> groups;
};

/// A table of level,factor,group,weight,element: one line for each output of a group; a level's
/// factor and a group's weight stand on each of its lines. Throws Error naming the file and line
/// where they differ, or an element is not an index below `outputs`.
std::vector<LossLevel> read_loss_groups(const std::string& file, std::int64_t outputs);

/// One sample's loss, y its outputs and t its targets:
///   mse            mean of (y − t)² over the outputs
///   cross-entropy  log Σ e^y − y[label]
///   groups         Σ_levels factor·mean over groups of weight·(Y − T)²·max(Y, T), where Y and T
///   are
///                  the group's sums of y and t
/// The loss of a network is the mean over samples. The samples must outlive it.
class Loss {
 public:
  /// `outputs`: outputs per sample. Throws Error where labels or targets are missing or do not fit.
  Loss(const LossSpec& spec, const Samples& samples, std::int64_t outputs);

  const LossSpec& spec() const { return spec_; }

  /// Sum of the losses of samples first … first + count − 1, which lie in the lanes of `output`
  /// [value][lane], and its derivative `cotangent` [value][lane]: 0 in lanes beyond `count`.
  /// T = double or Dual.
  template <typename T>
  double derive(std::int64_t first, int count, const T* output, int lanes, T* cotangent) const;

  /// A random cotangent q of each sample's outputs with E[q·qᵀ] = the loss's Hessian with respect
  /// to the outputs (without what is negative in it), so that E[(q·d)²] is the curvature along a
  /// change d. Probe number `probe` of a sample depends on the seed alone.
  void probe_curvature(std::int64_t first, int count, const double* output, int lanes,
                       std::uint64_t seed, std::uint64_t probe, double* to) const;

  /// Cross-entropy: how far a sample's answer goes when its outputs move from y to y + m (values
  /// `lanes` apart), 0 to 1: |p(label; y + m) − p(label; y)|, p the softmax. Where p shows next to
  /// nothing, 1e-9 of how much of the decision's lead is lost, u/(1 + u), tells moves apart; from
  /// u = 1 on the decision changes. NaN counts as all that can happen.
  double answer_moved(std::int64_t sample, const double* y, const double* m, int lanes) const;

 private:
  template <typename T>
  T mse(const float* target, const T* y, T* to, int lanes) const;
  template <typename T>
  T cross_entropy(std::int32_t label, const T* y, T* to, int lanes) const;
  template <typename T>
  T groups(const float* target, const T* y, T* to, int lanes) const;

  LossSpec spec_;
  const Samples* samples_;
  std::int64_t outputs_;
  std::vector<LossLevel> levels_;
};

}  // namespace flipscope
