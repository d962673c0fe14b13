#include "flipscope/analysis/slice_meter.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "flipscope/ops/kernels.h"

namespace flipscope {

SliceMeter::SliceMeter(const SliceProblem& problem, unsigned needs)
    : problem_(&problem), needs_(needs) {}

void SliceMeter::add_norms(const SliceChange& change) {
  const int lanes = block_->lanes;
  norms_.assign(4 * static_cast<std::size_t>(lanes), 0.0F);
  float* l1 = norms_.data();
  float *squared = l1 + lanes, *largest = squared + lanes, *along = largest + lanes;
  if ((needs_ & kNeedsNorms) == 0) {
    for (std::size_t k = 0; k < change.elements.size(); ++k) {
      const float* d = change.d.data() + k * lanes;
      for (int l = 0; l < lanes; ++l) l1[l] += std::fabs(d[l]);
    }
    return;
  }
  const std::vector<int>& outputs = problem_->slicing().slices[slice_].outputs;
  const std::vector<float>& units = problem_->model(slice_).units;
  std::size_t value = 0;
  std::int64_t first = 0;  // element of that value's begin
  const auto elements = [&] {
    return element_count(problem_->graph().values[outputs[value]].shape);
  };
  for (std::size_t k = 0; k < change.elements.size(); ++k) {
    const std::int64_t e = change.elements[k];
    while (e >= first + elements()) {
      first += elements();
      ++value;
    }
    const float* y = block_->values[outputs[value]].data() + (e - first) * lanes;
    const float* d = change.d.data() + k * lanes;
    const float unit = units[e];
    for (int l = 0; l < lanes; ++l) {
      const float size = std::fabs(d[l]);
      l1[l] += size;
      squared[l] += d[l] * d[l];
      largest[l] = size > largest[l] || size != size ? size : largest[l];
      along[l] += y[l] * unit * d[l];
    }
  }
}

void SliceMeter::add_rows(const SliceChange& change) {
  const SliceModel& model = problem_->model(slice_);
  const int lanes = block_->lanes;
  while (count_.size() < change.elements.size()) {
    count_.push_back(static_cast<std::int32_t>(count_.size()));
  }
  // Of the model's rows those that are needed lie together: all, or the centroids, or the read-out.
  const bool centroids = (needs_ & (kNeedsCentroids | kNeedsAxes)) != 0;
  const bool read_out = (needs_ & kNeedsReadOut) != 0;
  const int skip = centroids ? 0 : model.classes + model.axes;
  const int end = read_out                     ? model.row_count()
                  : (needs_ & kNeedsAxes) != 0 ? model.classes + model.axes
                                               : model.classes;
  rows_.resize(static_cast<std::size_t>(model.row_count()) * lanes);
  if (skip >= end || (!centroids && !read_out)) return;
  const auto elements = static_cast<std::int64_t>(model.units.size());
  dot_rows(DotRows<float>{.x = change.d.data(),
                          .element = count_.data(),
                          .weights = model.rows.data() + skip * elements,
                          .weight = change.elements.data(),
                          .row_step = elements,
                          .taps = std::ssize(change.elements),
                          .rows = end - skip,
                          .out = rows_.data() + static_cast<std::ptrdiff_t>(skip) * lanes,
                          .out_step = lanes,
                          .lanes = lanes});
}

void SliceMeter::add_derivatives(const SliceChange& change, const SliceDerivatives& derivatives) {
  const int lanes = block_->lanes, outputs = problem_->output_size();
  const auto add = [&](const AlignedVector<float>& from, int rows, AlignedVector<float>& to) {
    to.assign(static_cast<std::size_t>(rows) * lanes, 0.0F);
    for (std::size_t k = 0; k < change.elements.size(); ++k) {
      const float* d = change.d.data() + k * lanes;
      const float* slope =
          from.data() + static_cast<std::ptrdiff_t>(change.elements[k]) * rows * lanes;
      for (int r = 0; r < rows; ++r) {
        float* sum = to.data() + static_cast<std::ptrdiff_t>(r) * lanes;
        for (int l = 0; l < lanes; ++l) sum[l] += slope[r * lanes + l] * d[l];
      }
    }
  };
  if ((needs_ & kNeedsJacobian) != 0) add(derivatives.jacobian, outputs, jacobian_);
  if ((needs_ & kNeedsGradient) != 0) add(derivatives.gradient, 1, gradient_);
}

void SliceMeter::measure(std::size_t slice, const Block& block, const SliceChange& change,
                         const SliceDerivatives& derivatives) {
  slice_ = slice;
  block_ = &block;
  add_norms(change);
  add_rows(change);
  add_derivatives(change, derivatives);
}

SampleChange SliceMeter::at(int lane) const {
  const SliceModel& model = problem_->model(slice_);
  const int lanes = block_->lanes, outputs = problem_->output_size();
  const auto sample = static_cast<std::size_t>(block_->first + lane);
  const auto row = [&](int first, int size) {
    return Strided{rows_.data() + static_cast<std::ptrdiff_t>(first) * lanes + lane, size, lanes};
  };
  SampleChange c;
  c.l1 = norms_[lane];
  c.squared = norms_[lanes + lane];
  c.largest = norms_[2 * lanes + lane];
  c.along = norms_[3 * lanes + lane];
  c.golden_squared = model.golden_squared[sample];
  c.own = problem_->class_of()[sample];
  c.to_centroid = row(0, model.classes);
  c.on_axis = row(model.classes, model.axes);
  c.read_out = row(model.classes + model.axes, model.outputs);
  c.distance = std::span(model.distance).subspan(sample * model.classes, model.classes);
  c.position = std::span(model.position).subspan(sample * model.axes, model.axes);
  c.centroid_position = model.centroid_position;
  c.variance = model.variance;
  if ((needs_ & kNeedsJacobian) != 0) c.jacobian = {jacobian_.data() + lane, outputs, lanes};
  if ((needs_ & kNeedsGradient) != 0) c.gradient = gradient_[lane];
  c.output = {block_->values[problem_->output()].data() + lane, outputs, lanes};
  c.loss = problem_->loss();
  const Samples& wanted = problem_->wanted();
  if (c.loss == LossSpec::Kind::mse) {
    c.target = std::span(wanted.targets).subspan(sample * outputs, outputs);
  } else {
    c.label = wanted.labels[sample];
  }
  return c;
}

}  // namespace flipscope
