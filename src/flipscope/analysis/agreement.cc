#include "flipscope/analysis/agreement.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "flipscope/numeric/correlation.h"

namespace flipscope {

Agreement agreement(std::span<const double> truth, std::span<const double> estimate) {
  Agreement result{.targets = std::ssize(truth)};
  const auto count = static_cast<double>(truth.size());
  if (truth.empty()) return result;
  std::vector<double> sorted(truth.begin(), truth.end());
  std::sort(sorted.begin(), sorted.end());
  const double median = sorted[sorted.size() / 2];
  for (std::size_t i = 0; i < truth.size(); ++i) {
    result.truth += truth[i] / count;
    result.estimate += estimate[i] / count;
    result.absolute += std::fabs(estimate[i] - truth[i]) / count;
    result.constant_absolute += std::fabs(median - truth[i]) / count;
  }
  result.relative = result.absolute / result.truth;
  result.rank_correlation = spearman(truth, estimate);
  return result;
}

}  // namespace flipscope
