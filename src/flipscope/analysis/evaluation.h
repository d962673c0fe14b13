// How well a ranking finds the bits that matter, judged by a campaign that ran all of them, or a
// random sample.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "flipscope/fault/fault_space.h"
#include "flipscope/numeric/interval.h"

namespace flipscope {

/// A campaign's verdict on the faults of a space, or on some of them: bit k is fault numbers[k].
struct Oracle {
  FaultSpace space;
  std::vector<std::uint64_t> numbers;  ///< ascending
  std::vector<double> magnitude;       ///< |change of score|
  std::vector<char> sensitive;         ///< 1 where the bit counts as sensitive
  /// Where faults are flips of stored words, else empty: |Δw|, and 1 where w falls.
  std::vector<double> distance;
  std::vector<char> lowers;

  std::uint64_t size() const { return numbers.size(); }
  bool is_complete() const { return size() == space.size(); }
  FaultSite site(std::uint64_t bit) const { return space.site(numbers[bit]); }
};

/// [k] = k: the numbers of a space of which all faults are known.
std::vector<std::uint64_t> all_numbers(const FaultSpace& space);

/// Distinct bits of an oracle in the order in which they become known: each by its own flip, or
/// implied by those before it.
struct Trace {
  std::vector<std::uint64_t> order;
  std::vector<std::uint64_t>
      flips;  ///< made by then, ascending; one more where a fault was flipped
};

/// Every fault is known by its own flip.
Trace flip_each(std::vector<std::uint64_t> order);

/// The flips that find the top share of bits.
struct Reach {
  double percent = 0;
  std::uint64_t bits = 0;              ///< those whose |change| is in the top: ties count
  std::optional<std::uint64_t> flips;  ///< until all are found; empty: never
};

struct Evaluation {
  std::uint64_t ranked = 0;  ///< bits that become known
  std::uint64_t flips = 0;   ///< made for it
  std::uint64_t missed = 0;  ///< sensitive bits that do not
  double spearman = 0;       ///< between its order and |change|; NaN where undefined
  /// [distance from the most significant bit], over words wide enough.
  std::vector<double> spearman_at;
  /// Mean over all flips of the share of Σ|change| that is found by then; bits that the ranking
  /// does not name are never found.
  double area = 0;
  std::vector<Reach> reach;
  std::optional<std::uint64_t> flips_to_sensitive;  ///< until 90% of sensitive bits are found
};

/// `percents` are the top shares of interest.
Evaluation evaluate(const Oracle& oracle, const Trace& trace, const std::vector<double>& percents);

/// 95% interval of the area of `trace` minus that of `baseline`, by resampling the oracle's words
/// (Poisson bootstrap, percentiles of 1,000 draws).
Interval bootstrap_gain(const Oracle& oracle, const Trace& trace, const Trace& baseline,
                        std::uint64_t seed);

/// The share of Σ|change| that the first flips find: [flips], from 0 flips on.
std::vector<double> cumulative_share(const Oracle& oracle, const Trace& trace);

/// The mean number of flips in random order until 90% of the sensitive bits are found: m·(N + 1)/(K
/// + 1) for m of K among N. Nothing where no bit is sensitive.
std::optional<double> random_flips_to_sensitive(const Oracle& oracle);

/// The order that knows: by |change|, largest first, ties by number.
std::vector<std::uint64_t> best_order(const Oracle& oracle);

}  // namespace flipscope
