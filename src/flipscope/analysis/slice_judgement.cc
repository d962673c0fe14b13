#include "flipscope/analysis/slice_judgement.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>

#include "flipscope/numeric/correlation.h"

namespace flipscope {
namespace {

TopShare top_share(const std::vector<std::size_t>& order, std::span<const double> magnitude,
                   const std::vector<double>& descending, double percent) {
  const auto size = static_cast<double>(order.size());
  const auto count = std::clamp<std::size_t>(
      static_cast<std::size_t>(std::ceil(percent / 100 * size)), 1, order.size());
  const double least = descending[count - 1];
  const auto is_top = [&](double m) { return m >= least && m > 0; };
  const auto all = static_cast<double>(std::ranges::count_if(magnitude, is_top));
  double found = 0;
  for (std::size_t k = 0; k < count; ++k) found += is_top(magnitude[order[k]]) ? 1 : 0;
  if (all == 0) {
    constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
    return {percent, kNone, kNone};
  }
  return {percent, found / static_cast<double>(count), found / all};
}

}  // namespace

Judgement judge(std::span<const double> score, std::span<const double> magnitude,
                std::span<const double> percents) {
  constexpr std::size_t kPoints = 100;
  Judgement result;
  result.faults = score.size();
  if (score.empty()) return result;
  result.spearman = spearman(score, magnitude);
  std::vector<std::size_t> order(score.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, std::greater(), [&](std::size_t f) { return score[f]; });
  std::vector<double> descending(magnitude.begin(), magnitude.end());
  std::ranges::sort(descending, std::greater());
  for (const double percent : percents) {
    result.top.push_back(top_share(order, magnitude, descending, percent));
  }
  const double total = std::accumulate(magnitude.begin(), magnitude.end(), 0.0);
  double sum = 0;
  std::vector<double> found{0};
  for (const std::size_t f : order) {
    sum += magnitude[f];
    found.push_back(total > 0 ? sum / total : 0);
  }
  result.area =
      std::accumulate(found.begin(), found.end(), 0.0) / static_cast<double>(order.size());
  for (std::size_t p = 0; p <= kPoints; ++p) {
    result.found.push_back(found[order.size() * p / kPoints]);
  }
  return result;
}

}  // namespace flipscope
