// How well a ranking finds the bits that matter, judged by an exhaustive campaign.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "flipscope/fault/fault_space.h"
#include "flipscope/numeric/interval.h"

namespace flipscope {

/// An exhaustive campaign's verdict, [fault number of the space].
struct Oracle {
  FaultSpace space;
  std::vector<double> magnitude;  ///< |change of score|
  std::vector<char> sensitive;    ///< 1 where the bit counts as sensitive
};

/// The flips that find the top share of bits.
struct Reach {
  double percent = 0;
  std::uint64_t bits = 0;              ///< those whose |change| is in the top: ties count
  std::optional<std::uint64_t> flips;  ///< until all are found; empty: never
};

struct Evaluation {
  std::uint64_t ranked = 0;  ///< bits that the ranking names
  double spearman = 0;       ///< between its order and |change|; NaN where undefined
  /// [distance from the most significant bit], over words wide enough.
  std::vector<double> spearman_at;
  /// Mean over all flips of the share of Σ|change| that is found by then; bits that the ranking
  /// does not name are never found.
  double area = 0;
  std::vector<Reach> reach;
  std::optional<std::uint64_t> flips_to_sensitive;  ///< until 90% of sensitive bits are found
};

/// `order` holds distinct fault numbers, the first to be flipped first; `percents` the top shares
/// of interest.
Evaluation evaluate(const Oracle& oracle, const std::vector<std::uint64_t>& order,
                    const std::vector<double>& percents);

/// 95% interval of the area of `order` minus that of `baseline`, by resampling the space's words
/// (Poisson bootstrap, percentiles of 1,000 draws).
Interval bootstrap_gain(const Oracle& oracle, const std::vector<std::uint64_t>& order,
                        const std::vector<std::uint64_t>& baseline, std::uint64_t seed);

/// The share of Σ|change| that the first flips find: [flips], from 0 flips on.
std::vector<double> cumulative_share(const Oracle& oracle, const std::vector<std::uint64_t>& order);

/// The order that knows: by |change|, largest first, ties by fault number.
std::vector<std::uint64_t> best_order(const Oracle& oracle);

}  // namespace flipscope
