#include "flipscope/analysis/slice_scatter.h"

#include <algorithm>
#include <array>
#include <numeric>

#include "flipscope/analysis/slice_change.h"
#include "flipscope/analysis/slice_maps.h"

namespace flipscope {
namespace {

/// Projects rows onto two axes about a mean.
class Plane {
 public:
  explicit Plane(const SliceOutputs& outputs) : elements_(outputs.elements) {
    const std::vector<int> one_class(outputs.samples, 0);
    mean_ = centroids_of(outputs, one_class, 1);
    axes_ = principal_axes(outputs, one_class, mean_, 2);
    const double shown = std::accumulate(axes_.variance.begin(), axes_.variance.end() - 1, 0.0);
    const double rest = axes_.variance.back() *
                        static_cast<double>(std::max<std::int64_t>(0, elements_ - axes_.count));
    share_ = shown + rest > 0 ? shown / (shown + rest) : 1;
  }

  double share() const { return share_; }

  template <typename Row>
  std::array<double, 2> at(const Row& row) const {
    std::array<double, 2> place{0, 0};
    for (std::int64_t i = 0; i < axes_.count; ++i) {
      for (std::int64_t e = 0; e < elements_; ++e) {
        place[i] += (static_cast<double>(row[e]) - mean_[e]) * axes_.direction[i * elements_ + e];
      }
    }
    return place;
  }

  /// What a change at one element moves a point by.
  std::array<double, 2> step(std::int64_t element, double d) const {
    std::array<double, 2> by{0, 0};
    for (std::int64_t i = 0; i < axes_.count; ++i) {
      by[i] = axes_.direction[i * elements_ + element] * d;
    }
    return by;
  }

 private:
  std::int64_t elements_;
  std::vector<float> mean_;
  PrincipalAxes axes_;
  double share_ = 1;
};

}  // namespace

const char* to_string(ScatterPoint::Kind kind) {
  switch (kind) {
    case ScatterPoint::Kind::expected:
      break;
    case ScatterPoint::Kind::faulty:
      return "faulty";
    case ScatterPoint::Kind::centroid:
      return "centroid";
  }
  return "expected";
}

Scatter scatter_of(const SliceProblem& problem, std::size_t slice,
                   const std::vector<std::uint64_t>& faults, std::int64_t most) {
  using Kind = ScatterPoint::Kind;
  const SliceOutputs outputs = outputs_of(problem.graph(), problem.slicing().slices[slice],
                                          problem.units()[slice], problem.blocks(), most);
  const Plane plane(outputs);
  const std::vector<int>& class_of = problem.class_of();
  Scatter scatter{slice, plane.share(), {}};
  for (std::int64_t s = 0; s < outputs.samples; ++s) {
    const auto [x, y] = plane.at(outputs.row(s));
    scatter.points.push_back({Kind::expected, {}, s, class_of[s], x, y});
  }
  SliceRun run(problem.program(), problem.space(), problem.slicing(), problem.units());
  for (const std::uint64_t fault : faults) {
    for (const Block& block : problem.blocks()) {
      if (block.first >= outputs.samples) break;
      const SliceChange& change =
          run(slice, block, {FaultEffect::flip, {problem.space().site(fault)}});
      for (int lane = 0; lane < block.samples; ++lane) {
        const std::int64_t sample = block.first + lane;
        if (sample >= outputs.samples) break;
        ScatterPoint point = scatter.points[sample];
        point.kind = Kind::faulty;
        point.fault = fault;
        for (std::size_t k = 0; k < change.elements.size(); ++k) {
          const auto [x, y] = plane.step(change.elements[k], change.d[k * block.lanes + lane]);
          point.x += x;
          point.y += y;
        }
        scatter.points.push_back(point);
      }
    }
  }
  const std::span<const int> shown(class_of.data(), outputs.samples);
  const std::vector<float> centroids = centroids_of(outputs, shown, problem.classes());
  for (int k = 0; k < problem.classes(); ++k) {
    if (std::ranges::find(shown, k) == shown.end()) continue;
    const auto [x, y] = plane.at(centroids.data() + k * outputs.elements);
    scatter.points.push_back({Kind::centroid, {}, -1, k, x, y});
  }
  return scatter;
}

}  // namespace flipscope
