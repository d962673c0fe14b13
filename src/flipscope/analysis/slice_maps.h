// What a slice's expected outputs teach: centroids of classes, principal axes, a linear read-out.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "flipscope/analysis/slice.h"
#include "flipscope/engine/golden.h"

namespace flipscope {

/// Expected outputs of a slice as real numbers, [sample][element].
struct SliceOutputs {
  std::int64_t samples = 0, elements = 0;
  std::vector<float> numbers;

  const float* row(std::int64_t sample) const { return numbers.data() + sample * elements; }
};

/// The first `most` samples of the blocks.
SliceOutputs outputs_of(const Graph& graph, const Slice& slice, const std::vector<float>& units,
                        const std::vector<Block>& blocks, std::int64_t most);

/// Orthonormal directions of largest variance of rows about given centres.
struct PrincipalAxes {
  std::int64_t count = 0;
  std::vector<float> direction;  ///< [axis][element]
  std::vector<double> variance;  ///< [axis], largest first; then the mean of those of the rest
};

/// Of rows less their class's centroid [class][element]; `classes` 1 and all of class 0 give those
/// about one mean. By the n × n matrix of inner products of the n rows. The variance of what the
/// axes leave is spread over all other directions, and at least a thousandth of the mean variance.
PrincipalAxes principal_axes(const SliceOutputs& outputs, std::span<const int> class_of,
                             const std::vector<float>& centroids, int count);

/// Mean row of each class [class][element]; zeros where a class has no sample.
std::vector<float> centroids_of(const SliceOutputs& outputs, std::span<const int> class_of,
                                int classes);

/// W [output][element] of the ridge regression of `wanted` [sample][output] on rows, both about
/// their means: W = Zᵀ(G + λI)⁻¹Y with the rows' inner products G and λ = `ridge`·tr(G)/n.
std::vector<float> fit_read_out(const SliceOutputs& outputs, const std::vector<float>& wanted,
                                int wanted_size, double ridge);

/// k-means (Lloyd) of rows [sample][size], from starts that lie farthest from those before: the
/// class of each row. No more than `classes`, and as many as there are distinct rows.
std::vector<int> cluster(const std::vector<float>& rows, int size, int classes);

}  // namespace flipscope
