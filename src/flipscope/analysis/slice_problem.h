// A network, its samples and its slices, with everything that heuristics compare a change with.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "flipscope/analysis/slice.h"
#include "flipscope/analysis/slice_heuristic.h"
#include "flipscope/engine/backward.h"
#include "flipscope/engine/golden.h"
#include "flipscope/model/samples.h"

namespace flipscope {

struct SliceOptions {
  SliceEnd end = SliceEnd::layer;
  bool classes_by_decision = false;  ///< else by label, where there are labels
  unsigned needs = ~0U;              ///< SliceNeed's that will be asked for
};

/// What the expected outputs of one slice teach, made of the first kTaught samples.
struct SliceModel {
  static constexpr std::int64_t kTaught = 512;

  std::vector<float> units;  ///< [element]
  int classes = 0, axes = 0, outputs = 0;
  /// Rows that every change is multiplied with, [row][element]: centroids, axes, read-out.
  std::vector<float> rows;
  std::vector<double> variance;           ///< [axis], and off them
  std::vector<double> centroid_position;  ///< [class][axis]
  std::vector<double> golden_squared;     ///< [sample] ‖y‖²
  std::vector<double> distance;           ///< [sample][class] ‖y − c_k‖²
  std::vector<double> position;           ///< [sample][axis]

  int row_count() const { return classes + axes + outputs; }
};

/// Derivatives of a block's samples with respect to a slice's outputs, as real numbers.
struct SliceDerivatives {
  AlignedVector<float> jacobian;  ///< [element][output][lane]
  AlignedVector<float> gradient;  ///< [element][lane] of the loss
};

/// The first `count` of them, or all.
Samples first_samples(const Samples& samples, std::int64_t count);

/// Graph and space must outlive it.
class SliceProblem {
 public:
  /// Runs the golden run, keeps every value, and fits a model to each slice. Without labels the
  /// golden decisions take their place; a network without decisions (targets, or one output) has
  /// clusters of its expected outputs for classes, and mse against targets, or its expected
  /// outputs.
  SliceProblem(const Graph& graph, const Samples& samples, const FaultSpace& space,
               const SliceOptions& options);
  SliceProblem(const SliceProblem&) = delete;
  SliceProblem& operator=(const SliceProblem&) = delete;

  /// Whether a network with these samples has decisions.
  static bool decides(const Graph& graph, const Samples& samples);

  const Graph& graph() const { return *graph_; }
  const Program& program() const { return program_; }
  const FaultSpace& space() const { return *space_; }
  const Slicing& slicing() const { return slicing_; }
  const std::vector<Block>& blocks() const { return blocks_; }
  std::int64_t samples() const { return own_samples_.count; }
  const SliceModel& model(std::size_t slice) const { return models_[slice]; }
  /// [slice]
  const std::vector<std::vector<float>>& units() const { return units_; }
  const std::vector<int>& class_of() const { return class_of_; }
  int classes() const { return classes_; }
  /// The value that slices lead to: the output, or the input of a final softmax.
  int output() const { return output_; }
  int output_size() const { return output_size_; }
  LossSpec::Kind loss() const { return loss_->spec().kind; }
  const Samples& wanted() const { return own_samples_; }

  /// Slices end at their layers' sums.
  bool at_sums() const { return at_sums_; }

  /// The slice of a fault of one site.
  std::size_t slice_of(const FaultSite& site) const {
    return static_cast<std::size_t>(slicing_.slice_of[site.target]);
  }

  /// [slice] for block b; empty arrays where options.needs did not ask.
  std::vector<SliceDerivatives> derivatives(std::size_t b) const;

 private:
  void run_golden_blocks();
  void choose_wanted(const Samples& samples);
  void choose_classes(const SliceOptions& options);
  SliceModel fit(std::size_t slice) const;

  const Graph* graph_;
  const FaultSpace* space_;
  unsigned needs_;
  bool at_sums_;
  Program program_;
  Samples own_samples_;  ///< with labels or targets
  int output_ = -1, output_size_ = 0;
  Slicing slicing_;
  std::vector<std::vector<float>> units_;
  std::vector<Block> blocks_;
  std::vector<float> outputs_;  ///< [sample][output] expected
  std::vector<int> class_of_;
  int classes_ = 1;
  std::vector<SliceModel> models_;
  std::optional<Loss> loss_;
  std::optional<Objective> objective_;
};

}  // namespace flipscope
