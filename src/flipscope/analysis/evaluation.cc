#include "flipscope/analysis/evaluation.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "flipscope/numeric/correlation.h"

namespace flipscope {
namespace {

int from_msb(const Oracle& oracle, std::uint64_t fault) {
  const FaultSite site = oracle.space.site(fault);
  return oracle.space.targets()[site.target].encoding.format.bits - 1 - site.bit;
}

/// ρ of an order (first is best) and magnitudes.
double order_correlation(const std::vector<double>& magnitude) {
  std::vector<double> merit(magnitude.size());
  for (std::size_t i = 0; i < merit.size(); ++i) merit[i] = -static_cast<double>(i);
  return spearman(merit, magnitude);
}

Reach reach_of(const Oracle& oracle, const std::vector<std::uint64_t>& order,
               const std::vector<double>& descending, double percent) {
  const auto size = static_cast<double>(descending.size());
  const auto wanted = std::clamp<std::size_t>(
      static_cast<std::size_t>(std::ceil(percent / 100 * size)), 1, descending.size());
  const double least = descending[wanted - 1];
  const auto is_top = [&](double m) { return m >= least && m > 0; };
  Reach reach{percent, 0, {}};
  reach.bits = static_cast<std::uint64_t>(std::ranges::count_if(oracle.magnitude, is_top));
  std::uint64_t found = 0;
  for (std::size_t k = 0; k < order.size() && found < reach.bits; ++k) {
    found += is_top(oracle.magnitude[order[k]]) ? 1 : 0;
    if (found == reach.bits) reach.flips = k + 1;
  }
  return reach;
}

std::optional<std::uint64_t> flips_to_sensitive(const Oracle& oracle,
                                                const std::vector<std::uint64_t>& order) {
  constexpr double kShare = 0.9;
  const auto all = static_cast<double>(std::ranges::count(oracle.sensitive, 1));
  double found = 0;
  for (std::size_t k = 0; k < order.size(); ++k) {
    found += oracle.sensitive[order[k]];
    if (all > 0 && found >= kShare * all) return k + 1;
  }
  return {};
}

}  // namespace

std::vector<double> cumulative_share(const Oracle& oracle,
                                     const std::vector<std::uint64_t>& order) {
  const double total = std::accumulate(oracle.magnitude.begin(), oracle.magnitude.end(), 0.0);
  std::vector<double> share{0};
  double sum = 0;
  for (const std::uint64_t fault : order) {
    sum += oracle.magnitude[fault];
    share.push_back(total > 0 ? sum / total : 0);
  }
  return share;
}

std::vector<std::uint64_t> best_order(const Oracle& oracle) {
  std::vector<std::uint64_t> order(oracle.magnitude.size());
  std::iota(order.begin(), order.end(), std::uint64_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::uint64_t a, std::uint64_t b) {
    return oracle.magnitude[a] > oracle.magnitude[b];
  });
  return order;
}

Evaluation evaluate(const Oracle& oracle, const std::vector<std::uint64_t>& order,
                    const std::vector<double>& percents) {
  Evaluation result;
  result.ranked = order.size();
  std::vector<double> all;
  std::vector<std::vector<double>> at;
  for (const std::uint64_t fault : order) {
    const auto position = static_cast<std::size_t>(from_msb(oracle, fault));
    if (at.size() <= position) at.resize(position + 1);
    at[position].push_back(oracle.magnitude[fault]);
    all.push_back(oracle.magnitude[fault]);
  }
  result.spearman = order_correlation(all);
  for (const std::vector<double>& magnitudes : at) {
    result.spearman_at.push_back(order_correlation(magnitudes));
  }
  const std::vector<double> share = cumulative_share(oracle, order);
  const double rest = static_cast<double>(oracle.magnitude.size() - order.size()) * share.back();
  result.area = (std::accumulate(share.begin(), share.end(), 0.0) + rest) /
                static_cast<double>(oracle.magnitude.size());
  std::vector<double> descending = oracle.magnitude;
  std::ranges::sort(descending, std::greater());
  for (const double percent : percents) {
    result.reach.push_back(reach_of(oracle, order, descending, percent));
  }
  result.flips_to_sensitive = flips_to_sensitive(oracle, order);
  return result;
}

}  // namespace flipscope
