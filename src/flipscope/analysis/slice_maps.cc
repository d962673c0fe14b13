#include "flipscope/analysis/slice_maps.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "flipscope/analysis/spectrum.h"

namespace flipscope {
namespace {

constexpr double kLeastVariance = 1e-3;  ///< of the mean variance, off the axes

double inner(const float* a, const float* b, std::int64_t n) {
  double sum[8] = {0, 0, 0, 0, 0, 0, 0, 0};
  std::int64_t i = 0;
  for (; i + 8 <= n; i += 8) {
    for (int k = 0; k < 8; ++k) sum[k] += static_cast<double>(a[i + k]) * b[i + k];
  }
  for (; i < n; ++i) sum[0] += static_cast<double>(a[i]) * b[i];
  return ((sum[0] + sum[1]) + (sum[2] + sum[3])) + ((sum[4] + sum[5]) + (sum[6] + sum[7]));
}

/// Inner products of all rows, [row·n + column].
std::vector<double> gram(const SliceOutputs& rows) {
  const std::int64_t n = rows.samples;
  std::vector<double> products(n * n);
  for (std::int64_t i = 0; i < n; ++i) {
    for (std::int64_t k = 0; k <= i; ++k) {
      products[i * n + k] = products[k * n + i] = inner(rows.row(i), rows.row(k), rows.elements);
    }
  }
  return products;
}

SliceOutputs centred(const SliceOutputs& outputs, std::span<const int> class_of,
                     const std::vector<float>& centroids) {
  SliceOutputs rows = outputs;
  for (std::int64_t s = 0; s < rows.samples; ++s) {
    const float* centre = centroids.data() + class_of[s] * rows.elements;
    for (std::int64_t e = 0; e < rows.elements; ++e) {
      rows.numbers[s * rows.elements + e] -= centre[e];
    }
  }
  return rows;
}

/// x with A·x = b for every column of b [row][columns], by Cholesky's factors; A [n][n] is positive
/// definite.
std::vector<double> solve(std::vector<double> a, std::int64_t n, std::vector<double> b,
                          std::int64_t columns) {
  for (std::int64_t i = 0; i < n; ++i) {
    for (std::int64_t k = 0; k <= i; ++k) {
      double sum = a[i * n + k];
      for (std::int64_t j = 0; j < k; ++j) sum -= a[i * n + j] * a[k * n + j];
      a[i * n + k] = i == k ? std::sqrt(sum) : sum / a[k * n + k];
    }
  }
  for (std::int64_t c = 0; c < columns; ++c) {
    for (std::int64_t i = 0; i < n; ++i) {
      double sum = b[i * columns + c];
      for (std::int64_t j = 0; j < i; ++j) sum -= a[i * n + j] * b[j * columns + c];
      b[i * columns + c] = sum / a[i * n + i];
    }
    for (std::int64_t i = n; i-- > 0;) {
      double sum = b[i * columns + c];
      for (std::int64_t j = i + 1; j < n; ++j) sum -= a[j * n + i] * b[j * columns + c];
      b[i * columns + c] = sum / a[i * n + i];
    }
  }
  return b;
}

double squared_distance(const float* a, const float* b, int size) {
  double sum = 0;
  for (int i = 0; i < size; ++i) {
    const double d = static_cast<double>(a[i]) - b[i];
    sum += d * d;
  }
  return sum;
}

}  // namespace

SliceOutputs outputs_of(const Graph& graph, const Slice& slice, const std::vector<float>& units,
                        const std::vector<Block>& blocks, std::int64_t most) {
  SliceOutputs outputs{0, slice.elements, {}};
  for (const Block& block : blocks) {
    for (int lane = 0; lane < block.samples && outputs.samples < most; ++lane, ++outputs.samples) {
      std::int64_t at = 0;
      for (const int v : slice.outputs) {
        const std::int64_t elements = element_count(graph.values[v].shape);
        for (std::int64_t e = 0; e < elements; ++e, ++at) {
          outputs.numbers.push_back(block.values[v][e * block.lanes + lane] * units[at]);
        }
      }
    }
  }
  return outputs;
}

std::vector<float> centroids_of(const SliceOutputs& outputs, std::span<const int> class_of,
                                int classes) {
  std::vector<double> sums(classes * outputs.elements);
  std::vector<double> counts(classes);
  for (std::int64_t s = 0; s < outputs.samples; ++s) {
    counts[class_of[s]] += 1;
    double* sum = sums.data() + class_of[s] * outputs.elements;
    for (std::int64_t e = 0; e < outputs.elements; ++e) sum[e] += outputs.row(s)[e];
  }
  std::vector<float> means(sums.size());
  for (std::size_t i = 0; i < sums.size(); ++i) {
    const double count = counts[i / outputs.elements];
    means[i] = static_cast<float>(count > 0 ? sums[i] / count : 0);
  }
  return means;
}

PrincipalAxes principal_axes(const SliceOutputs& outputs, std::span<const int> class_of,
                             const std::vector<float>& centroids, int count) {
  const SliceOutputs rows = centred(outputs, class_of, centroids);
  const std::int64_t n = rows.samples, elements = rows.elements;
  const std::vector<double> products = gram(rows);
  double total = 0;
  for (std::int64_t i = 0; i < n; ++i) total += products[i * n + i] / static_cast<double>(n);
  const Product multiply = [&](std::span<const double> x) {
    std::vector<double> y(n);
    for (std::int64_t i = 0; i < n; ++i) {
      for (std::int64_t k = 0; k < n; ++k) y[i] += products[i * n + k] * x[k];
    }
    return y;
  };
  LanczosOptions options;
  options.count = static_cast<int>(std::min<std::int64_t>({count, n, elements}));
  PrincipalAxes axes;
  double rest = total;
  const double least = std::max(kLeastVariance * total / static_cast<double>(elements),
                                std::numeric_limits<double>::min());
  for (const Eigenpair& pair : largest_eigenpairs(n, multiply, options)) {
    const double variance = pair.value / static_cast<double>(n);
    if (variance <= least) break;
    std::vector<double> direction(elements);
    for (std::int64_t s = 0; s < n; ++s) {
      const double weight = pair.vector[s] / std::sqrt(pair.value);
      for (std::int64_t e = 0; e < elements; ++e) direction[e] += weight * rows.row(s)[e];
    }
    for (const double x : direction) axes.direction.push_back(static_cast<float>(x));
    axes.variance.push_back(variance);
    rest -= variance;
    ++axes.count;
  }
  const auto others = static_cast<double>(std::max<std::int64_t>(1, elements - axes.count));
  axes.variance.push_back(std::max(rest / others, least));
  return axes;
}

std::vector<float> fit_read_out(const SliceOutputs& outputs, const std::vector<float>& wanted,
                                int wanted_size, double ridge) {
  const std::int64_t n = outputs.samples, elements = outputs.elements;
  const std::vector<int> one_class(n, 0);
  const SliceOutputs rows = centred(outputs, one_class, centroids_of(outputs, one_class, 1));
  std::vector<double> products = gram(rows), targets(n * wanted_size);
  for (int o = 0; o < wanted_size; ++o) {
    double mean = 0;
    for (std::int64_t s = 0; s < n; ++s) mean += wanted[s * wanted_size + o];
    mean /= static_cast<double>(n);
    for (std::int64_t s = 0; s < n; ++s) {
      targets[s * wanted_size + o] = wanted[s * wanted_size + o] - mean;
    }
  }
  double trace = 0;
  for (std::int64_t i = 0; i < n; ++i) trace += products[i * n + i];
  // With rows that are all the same there is nothing to learn, and W is 0.
  const double penalty = trace > 0 ? ridge * trace / static_cast<double>(n) : 1;
  for (std::int64_t i = 0; i < n; ++i) products[i * n + i] += penalty;
  const std::vector<double> weights =
      solve(std::move(products), n, std::move(targets), wanted_size);
  std::vector<float> read_out;
  read_out.reserve(wanted_size * elements);
  for (int o = 0; o < wanted_size; ++o) {
    std::vector<double> sum(elements);
    for (std::int64_t s = 0; s < n; ++s) {
      const double weight = weights[s * wanted_size + o];
      for (std::int64_t e = 0; e < elements; ++e) sum[e] += weight * rows.row(s)[e];
    }
    for (const double x : sum) read_out.push_back(static_cast<float>(x));
  }
  return read_out;
}

std::vector<int> cluster(const std::vector<float>& rows, int size, int classes) {
  constexpr int kRounds = 100;
  const auto n = static_cast<std::int64_t>(rows.size()) / size;
  std::vector<int> class_of(n, 0);
  std::vector<double> distance(n, std::numeric_limits<double>::infinity());
  std::vector<float> centres(rows.begin(), rows.begin() + size);
  for (int k = 0; k + 1 < classes; ++k) {
    for (std::int64_t s = 0; s < n; ++s) {
      distance[s] = std::min(
          distance[s], squared_distance(rows.data() + s * size, centres.data() + k * size, size));
    }
    const auto farthest = std::ranges::max_element(distance) - distance.begin();
    if (!(distance[farthest] > 0)) break;
    centres.insert(centres.end(), rows.begin() + farthest * size,
                   rows.begin() + (farthest + 1) * size);
  }
  const auto found = static_cast<int>(std::ssize(centres) / size);
  for (int round = 0; round < kRounds; ++round) {
    bool moved = round == 0;
    for (std::int64_t s = 0; s < n; ++s) {
      int nearest = 0;
      double least = std::numeric_limits<double>::infinity();
      for (int k = 0; k < found; ++k) {
        const double d = squared_distance(rows.data() + s * size, centres.data() + k * size, size);
        if (d < least) {
          least = d;
          nearest = k;
        }
      }
      moved = moved || class_of[s] != nearest;
      class_of[s] = nearest;
    }
    if (!moved) break;
    SliceOutputs all{n, size, rows};
    centres = centroids_of(all, class_of, found);
  }
  return class_of;
}

}  // namespace flipscope
