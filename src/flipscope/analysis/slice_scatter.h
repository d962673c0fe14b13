// The picture of a slice: expected and faulty outputs in the plane of their two principal axes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "flipscope/analysis/slice_problem.h"

namespace flipscope {

struct ScatterPoint {
  enum class Kind { expected, faulty, centroid } kind = Kind::expected;
  std::optional<std::uint64_t> fault;  ///< faulty: its number in the space
  std::int64_t sample = -1;            ///< −1: a centroid
  int label = 0;                       ///< class
  double x = 0, y = 0;
};

const char* to_string(ScatterPoint::Kind kind);

struct Scatter {
  std::size_t slice = 0;
  double share = 0;  ///< of the expected outputs' variance that the plane shows
  std::vector<ScatterPoint> points;
};

/// At most `most` samples of a slice: as expected, under each of these faults (of this slice), and
/// the centroids of their classes.
Scatter scatter_of(const SliceProblem& problem, std::size_t slice,
                   const std::vector<std::uint64_t>& faults, std::int64_t most);

}  // namespace flipscope
