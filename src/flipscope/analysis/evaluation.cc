#include "flipscope/analysis/evaluation.h"

#include <oneapi/tbb/parallel_for.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <numbers>
#include <numeric>

#include "flipscope/numeric/correlation.h"
#include "flipscope/numeric/random.h"

namespace flipscope {
namespace {

int from_msb(const Oracle& oracle, std::uint64_t bit) {
  const FaultSite site = oracle.site(bit);
  return oracle.space.targets()[site.target].from_msb(site.index, site.bit);
}

/// ρ of an order (first is best) and magnitudes.
double order_correlation(const std::vector<double>& magnitude) {
  std::vector<double> merit(magnitude.size());
  for (std::size_t i = 0; i < merit.size(); ++i) merit[i] = -static_cast<double>(i);
  return spearman(merit, magnitude);
}

Reach reach_of(const Oracle& oracle, const Trace& trace, const std::vector<double>& descending,
               double percent) {
  const auto size = static_cast<double>(descending.size());
  const auto wanted = std::clamp<std::size_t>(
      static_cast<std::size_t>(std::ceil(percent * size / 100)), 1, descending.size());
  const double least = descending[wanted - 1];
  const auto is_top = [&](double m) { return m >= least && m > 0; };
  Reach reach{percent, 0, {}};
  reach.bits = static_cast<std::uint64_t>(std::ranges::count_if(oracle.magnitude, is_top));
  std::uint64_t found = 0;
  for (std::size_t k = 0; k < trace.order.size() && found < reach.bits; ++k) {
    found += is_top(oracle.magnitude[trace.order[k]]) ? 1 : 0;
    if (found == reach.bits) reach.flips = trace.flips[k];
  }
  return reach;
}

std::uint64_t sensitive_bits(const Oracle& oracle) {
  return static_cast<std::uint64_t>(std::ranges::count(oracle.sensitive, char{1}));
}

/// 90% of the sensitive bits, rounded up.
std::uint64_t most_sensitive_bits(const Oracle& oracle) {
  return (9 * sensitive_bits(oracle) + 9) / 10;
}

std::optional<std::uint64_t> flips_to_sensitive(const Oracle& oracle, const Trace& trace) {
  const std::uint64_t wanted = most_sensitive_bits(oracle);
  std::uint64_t found = 0;
  for (std::size_t k = 0; k < trace.order.size(); ++k) {
    found += static_cast<std::uint64_t>(oracle.sensitive[trace.order[k]]);
    if (wanted > 0 && found == wanted) return trace.flips[k];
  }
  return {};
}

/// The word of each bit, counted over all targets.
std::vector<std::uint32_t> words_of(const Oracle& oracle) {
  std::vector<std::uint32_t> words(oracle.size());
  std::uint32_t last = 0;
  FaultSite before = oracle.site(0);
  for (std::uint64_t k = 0; k < oracle.size(); ++k) {
    const FaultSite site = oracle.site(k);
    last += site.target != before.target || site.index != before.index ? 1 : 0;
    words[k] = last;
    before = site;
  }
  return words;
}

/// Draws of a bootstrap that pass over a trace together: what is read at random then serves all.
constexpr std::size_t kTogether = 16;
using Draws = std::array<double, kTogether>;
using Times = std::array<float, kTogether>;  // whole numbers

void add(Draws& sums, const Times& times, double factor) {
  for (std::size_t d = 0; d < kTogether; ++d) sums[d] += double{times[d]} * factor;
}

/// The words and magnitudes of bits in the order of a trace.
struct Steps {
  const std::vector<std::uint64_t>& flips;
  std::vector<std::uint32_t> words;
  std::vector<double> magnitudes;

  Steps(const Oracle& oracle, const std::vector<std::uint32_t>& words_of_bits, const Trace& trace)
      : flips(trace.flips) {
    for (const std::uint64_t fault : trace.order) {
      words.push_back(words_of_bits[fault]);
      magnitudes.push_back(oracle.magnitude[fault]);
    }
  }
};

/// The areas where word w counts times[w] times; `all` and `size` are the sums of all magnitudes
/// and bits.
Draws weighted_areas(const Steps& steps, const std::vector<Times>& times, const Draws& all,
                     const Draws& size) {
  Draws flips{}, found{}, area{};
  for (std::size_t k = 0; k < steps.words.size();) {
    const Times& flip = times[steps.words[k]];
    const std::uint64_t made = steps.flips[k];
    for (; k < steps.words.size() && steps.flips[k] == made; ++k) {
      add(found, times[steps.words[k]], steps.magnitudes[k]);
    }
    for (std::size_t d = 0; d < kTogether; ++d) area[d] += double{flip[d]} * found[d];
    add(flips, flip, 1);
  }
  for (std::size_t d = 0; d < kTogether; ++d) {
    area[d] = all[d] > 0 ? (area[d] + (size[d] - flips[d]) * found[d]) / (all[d] * size[d]) : 0;
  }
  return area;
}

/// A draw from the Poisson distribution of mean 1.
int poisson(Random& random) {
  const double u = random.uniform();
  double chance = 1 / std::numbers::e, below = chance;
  int k = 0;
  while (u >= below && k < 20) {
    chance /= ++k;
    below += chance;
  }
  return k;
}

}  // namespace

std::vector<std::uint64_t> all_numbers(const FaultSpace& space) {
  std::vector<std::uint64_t> numbers(space.size());
  std::iota(numbers.begin(), numbers.end(), std::uint64_t{0});
  return numbers;
}

Trace flip_each(std::vector<std::uint64_t> order) {
  Trace trace{std::move(order), {}};
  trace.flips.resize(trace.order.size());
  std::iota(trace.flips.begin(), trace.flips.end(), std::uint64_t{1});
  return trace;
}

std::optional<double> random_flips_to_sensitive(const Oracle& oracle) {
  const auto all = static_cast<double>(sensitive_bits(oracle));
  if (all == 0) return {};
  const auto wanted = static_cast<double>(most_sensitive_bits(oracle));
  return wanted * (static_cast<double>(oracle.sensitive.size()) + 1) / (all + 1);
}

Interval bootstrap_gain(const Oracle& oracle, const Trace& trace, const Trace& baseline,
                        std::uint64_t seed) {
  constexpr std::size_t kDraws = 1000;
  constexpr std::uint64_t kStream = 0x626f6f74;
  constexpr std::size_t kTail = 25;  // 2.5% of the draws
  const std::vector<std::uint32_t> words = words_of(oracle);
  const Steps steps(oracle, words, trace), baseline_steps(oracle, words, baseline);
  std::vector<double> gains(kDraws);
  tbb::parallel_for(std::size_t{0}, (kDraws + kTogether - 1) / kTogether, [&](std::size_t part) {
    const std::size_t first = part * kTogether;
    std::vector<Times> times(words.back() + 1);
    for (std::size_t d = 0; d < kTogether; ++d) {
      Random random(seed, kStream + first + d);
      for (Times& t : times) t[d] = static_cast<float>(poisson(random));
    }
    Draws all{}, size{};
    for (std::size_t k = 0; k < words.size(); ++k) {
      add(all, times[words[k]], oracle.magnitude[k]);
      add(size, times[words[k]], 1);
    }
    const Draws own = weighted_areas(steps, times, all, size);
    const Draws other = weighted_areas(baseline_steps, times, all, size);
    for (std::size_t d = 0; d < std::min(kTogether, kDraws - first); ++d) {
      gains[first + d] = own[d] - other[d];
    }
  });
  std::ranges::sort(gains);
  return {gains[kTail], gains[kDraws - 1 - kTail]};
}

std::vector<double> cumulative_share(const Oracle& oracle, const Trace& trace) {
  const double total = std::accumulate(oracle.magnitude.begin(), oracle.magnitude.end(), 0.0);
  std::vector<double> share{0};
  double sum = 0;
  for (std::size_t k = 0; k < trace.order.size(); ++k) {
    sum += oracle.magnitude[trace.order[k]];
    share.resize(trace.flips[k] + 1);
    share.back() = total > 0 ? sum / total : 0;
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

Evaluation evaluate(const Oracle& oracle, const Trace& trace, const std::vector<double>& percents) {
  Evaluation result;
  result.ranked = trace.order.size();
  result.flips = trace.flips.empty() ? 0 : trace.flips.back();
  result.missed = sensitive_bits(oracle);
  std::vector<double> all;
  std::vector<std::vector<double>> at;
  for (const std::uint64_t fault : trace.order) {
    const auto position = static_cast<std::size_t>(from_msb(oracle, fault));
    if (at.size() <= position) at.resize(position + 1);
    at[position].push_back(oracle.magnitude[fault]);
    all.push_back(oracle.magnitude[fault]);
    result.missed -= static_cast<std::uint64_t>(oracle.sensitive[fault]);
  }
  result.spearman = order_correlation(all);
  for (const std::vector<double>& magnitudes : at) {
    result.spearman_at.push_back(order_correlation(magnitudes));
  }
  const std::vector<double> share = cumulative_share(oracle, trace);
  const double rest = static_cast<double>(oracle.magnitude.size() - result.flips) * share.back();
  result.area = (std::accumulate(share.begin(), share.end(), 0.0) + rest) /
                static_cast<double>(oracle.magnitude.size());
  std::vector<double> descending = oracle.magnitude;
  std::ranges::sort(descending, std::greater());
  for (const double percent : percents) {
    result.reach.push_back(reach_of(oracle, trace, descending, percent));
  }
  result.flips_to_sensitive = flips_to_sensitive(oracle, trace);
  return result;
}

}  // namespace flipscope
