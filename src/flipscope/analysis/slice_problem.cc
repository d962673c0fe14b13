#include "flipscope/analysis/slice_problem.h"

#include <oneapi/tbb/parallel_for.h>

#include <algorithm>

#include "flipscope/analysis/slice_change.h"
#include "flipscope/analysis/slice_maps.h"
#include "flipscope/numeric/error.h"
#include "flipscope/score/classification.h"

namespace flipscope {
namespace {

constexpr int kClusters = 8;
constexpr int kAxes = 16;
constexpr double kRidge = 0.1;

/// Every stored tensor whose words faults can strike.
std::vector<int> stored_tensors(const Graph& graph) {
  std::vector<int> tensors;
  for (std::size_t t = 0; t < graph.stored.size(); ++t) {
    if (graph.stored[t].part != Part::none) tensors.push_back(static_cast<int>(t));
  }
  return tensors;
}

}  // namespace

Samples first_samples(const Samples& samples, std::int64_t count) {
  Samples some = samples;
  some.count = std::min(count, samples.count);
  const auto keep = [&](auto& numbers) {
    numbers.resize(numbers.size() / samples.count * some.count);
  };
  keep(some.values);
  keep(some.labels);
  keep(some.targets);
  return some;
}

bool SliceProblem::decides(const Graph& graph, const Samples& samples) {
  const std::int64_t outputs = element_count(graph.values[graph.outputs.front()].shape);
  return samples.target_size == 0 && outputs >= 2;
}

SliceProblem::SliceProblem(const Graph& graph, const Samples& samples, const FaultSpace& space,
                           const SliceOptions& options)
    : graph_(&graph),
      space_(&space),
      needs_(options.needs),
      at_sums_(options.end == SliceEnd::sums),
      program_(graph),
      own_samples_(samples) {
  if (graph.inputs.size() != 1 || graph.outputs.size() != 1) {
    fail("slice", "'{}' has {} inputs and {} outputs; slices need a model with one of each",
         graph.name, graph.inputs.size(), graph.outputs.size());
  }
  if (samples.count == 0) fail("slice", "there are no samples to run slices on");
  const LossSpec spec{decides(graph, samples) ? LossSpec::Kind::cross_entropy
                                              : LossSpec::Kind::mse};
  output_ = Objective::loss_input(graph, spec);
  output_size_ = static_cast<int>(element_count(graph.values[output_].shape));
  slicing_ = slice_network(graph, space, output_, options.end);
  for (const Slice& slice : slicing_.slices) units_.push_back(units_of(graph, slice));
  run_golden_blocks();
  choose_wanted(samples);
  loss_.emplace(spec, own_samples_, output_size_);
  objective_.emplace(graph, own_samples_, *loss_, Parameters(graph, stored_tensors(graph)));
  choose_classes(options);
  models_.resize(slicing_.slices.size());
  tbb::parallel_for(std::size_t{0}, models_.size(), [&](std::size_t s) { models_[s] = fit(s); });
}

void SliceProblem::run_golden_blocks() {
  const std::int64_t count = own_samples_.count;
  blocks_.resize((count + kBlockSamples - 1) / kBlockSamples);
  tbb::parallel_for(std::size_t{0}, blocks_.size(), [&](std::size_t b) {
    const std::int64_t first = static_cast<std::int64_t>(b) * kBlockSamples;
    blocks_[b] = run_golden(program_, own_samples_.values.data(), first,
                            static_cast<int>(std::min<std::int64_t>(kBlockSamples, count - first)));
  });
  for (const Block& block : blocks_) {
    for (int lane = 0; lane < block.samples; ++lane) {
      for (int o = 0; o < output_size_; ++o) {
        outputs_.push_back(block.values[output_][o * block.lanes + lane]);
      }
    }
  }
}

void SliceProblem::choose_wanted(const Samples& samples) {
  if (!decides(*graph_, samples)) {
    if (samples.target_size != 0) return;
    own_samples_.targets = outputs_;
    own_samples_.target_size = output_size_;
    return;
  }
  if (!samples.labels.empty()) return;
  own_samples_.labels.resize(own_samples_.count);
  for (std::int64_t s = 0; s < own_samples_.count; ++s) {
    decide(outputs_.data() + s * output_size_, output_size_, 1, own_samples_.labels.data() + s);
  }
}

void SliceProblem::choose_classes(const SliceOptions& options) {
  if (loss_->spec().kind == LossSpec::Kind::mse) {
    class_of_ = cluster(outputs_, output_size_, kClusters);
  } else {
    class_of_.assign(own_samples_.labels.begin(), own_samples_.labels.end());
    for (std::int64_t s = 0; options.classes_by_decision && s < own_samples_.count; ++s) {
      decide(outputs_.data() + s * output_size_, output_size_, 1, &class_of_[s]);
    }
  }
  // Classes are counted as they occur: one without a sample would have no centroid.
  std::vector<int> number(1 + *std::ranges::max_element(class_of_), -1);
  classes_ = 0;
  for (int& c : class_of_) {
    if (number[c] < 0) number[c] = classes_++;
    c = number[c];
  }
}

SliceModel SliceProblem::fit(std::size_t index) const {
  const Slice& slice = slicing_.slices[index];
  SliceModel model;
  model.units = units_[index];
  const SliceOutputs taught = outputs_of(*graph_, slice, model.units, blocks_, SliceModel::kTaught);
  const std::span<const int> taught_class(class_of_.data(), taught.samples);
  const std::int64_t elements = slice.elements;
  const std::vector<float> centroids = centroids_of(taught, taught_class, classes_);
  PrincipalAxes axes;
  if ((needs_ & kNeedsCentroids) != 0) {
    model.classes = classes_;
    model.rows = centroids;
  }
  if ((needs_ & kNeedsAxes) != 0) {
    axes = principal_axes(taught, taught_class, centroids, kAxes);
    model.axes = static_cast<int>(axes.count);
    model.variance = axes.variance;
    model.rows.insert(model.rows.end(), axes.direction.begin(), axes.direction.end());
  }
  if ((needs_ & kNeedsReadOut) != 0) {
    const std::vector<float> wanted(outputs_.begin(),
                                    outputs_.begin() + taught.samples * output_size_);
    const std::vector<float> read_out = fit_read_out(taught, wanted, output_size_, kRidge);
    model.outputs = output_size_;
    model.rows.insert(model.rows.end(), read_out.begin(), read_out.end());
  }
  const auto dot = [&](const float* a, const float* b) {
    double sum = 0;
    for (std::int64_t e = 0; e < elements; ++e) sum += static_cast<double>(a[e]) * b[e];
    return sum;
  };
  const SliceOutputs all = outputs_of(*graph_, slice, model.units, blocks_, own_samples_.count);
  for (std::int64_t s = 0; s < all.samples; ++s) {
    model.golden_squared.push_back(dot(all.row(s), all.row(s)));
    for (int k = 0; k < model.classes; ++k) {
      const float* centre = centroids.data() + k * elements;
      double squared = 0;
      for (std::int64_t e = 0; e < elements; ++e) {
        const double d = static_cast<double>(all.row(s)[e]) - centre[e];
        squared += d * d;
      }
      model.distance.push_back(squared);
    }
    for (int i = 0; i < model.axes; ++i) {
      model.position.push_back(dot(axes.direction.data() + i * elements, all.row(s)));
    }
  }
  for (int k = 0; k < model.classes; ++k) {
    for (int i = 0; i < model.axes; ++i) {
      model.centroid_position.push_back(
          dot(axes.direction.data() + i * elements, centroids.data() + k * elements));
    }
  }
  return model;
}

std::vector<SliceDerivatives> SliceProblem::derivatives(std::size_t b) const {
  constexpr int kPart = Objective::kLanes;
  static_assert(kBlockSamples % kPart == 0);
  const Block& block = blocks_[b];
  const bool jacobian = (needs_ & kNeedsJacobian) != 0, gradient = (needs_ & kNeedsGradient) != 0;
  std::vector<SliceDerivatives> all(slicing_.slices.size());
  for (std::size_t s = 0; s < all.size(); ++s) {
    const std::size_t numbers = slicing_.slices[s].elements * block.lanes;
    if (jacobian) all[s].jacobian.assign(numbers * output_size_, 0.0F);
    if (gradient) all[s].gradient.assign(numbers, 0.0F);
  }
  if (!jacobian && !gradient) return all;
  // Puts cotangents of one part's samples in their lanes; [element] lies `step` numbers apart.
  const auto put = [&](const BlockValues<double>& cotangents, std::size_t s, int part, int step,
                       float* to) {
    const int lanes = std::min(kPart, block.lanes - part * kPart);
    std::int64_t at = 0;
    for (const int v : slicing_.slices[s].outputs) {
      const std::int64_t elements = element_count(graph_->values[v].shape);
      for (std::int64_t e = 0; e < elements && !cotangents[v].empty(); ++e) {
        for (int l = 0; l < lanes; ++l) {
          to[(at + e) * step + part * kPart + l] =
              static_cast<float>(cotangents[v][e * kPart + l] / units_[s][at + e]);
        }
      }
      at += elements;
    }
  };
  const int parts = (block.samples + kPart - 1) / kPart;
  tbb::parallel_for(0, parts, [&](int part) {
    const std::int64_t number = static_cast<std::int64_t>(b) * (kBlockSamples / kPart) + part;
    const BlockValues<double> values = objective_->run(number);
    if (gradient) {
      const BlockValues<double> cotangents = objective_->loss_cotangents(number, values);
      for (std::size_t s = 0; s < all.size(); ++s) {
        put(cotangents, s, part, block.lanes, all[s].gradient.data());
      }
    }
    tbb::parallel_for(0, jacobian ? output_size_ : 0, [&](int o) {
      const BlockValues<double> cotangents = objective_->output_cotangents(values, o);
      for (std::size_t s = 0; s < all.size(); ++s) {
        put(cotangents, s, part, output_size_ * block.lanes,
            all[s].jacobian.data() + static_cast<std::ptrdiff_t>(o) * block.lanes);
      }
    });
  });
  return all;
}

}  // namespace flipscope
