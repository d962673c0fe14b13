#include "flipscope/analysis/rivals.h"

#include <algorithm>
#include <string>
#include <utility>

#include "flipscope/fault/binary_search.h"
#include "flipscope/numeric/error.h"

namespace flipscope {
namespace {

void need_words(const Oracle& oracle, const std::string& what) {
  if (oracle.distance.empty()) {
    fail("evaluate", "{} goes by stored words, and the oracle's faults are no flips of such", what);
  }
}

BitDistances mean_distances(const Oracle& oracle) {
  BitDistances distances;
  std::uint64_t first = 0;
  for (const FaultTarget& target : oracle.space.targets()) {
    std::vector<double>& mean = distances.emplace_back(target.bits.size(), 0.0);
    for (std::int64_t i = 0; i < target.elements; ++i) {
      for (const int bit : target.bits_of(i)) {
        const auto at = std::ranges::lower_bound(target.bits, bit) - target.bits.begin();
        mean[static_cast<std::size_t>(at)] += oracle.distance[first++];
      }
    }
    for (std::size_t b = 0; b < mean.size(); ++b) {
      mean[b] /= static_cast<double>(target.size_at(target.bits[b]));
    }
  }
  return distances;
}

}  // namespace

Trace replay_binary_search(const Oracle& oracle, SearchKind kind, bool implied) {
  if (kind == SearchKind::separate) need_words(oracle, "--binfi separate");
  Trace trace;
  std::uint64_t flips = 0, first = 0;
  const auto learn = [&](std::uint64_t fault) {
    trace.order.push_back(fault);
    trace.flips.push_back(flips);
  };
  const auto search = [&](const std::vector<int>& list) {
    std::vector<char> flipped(list.size(), 0);
    const SearchState found = binary_search(std::ssize(list), [&](std::int64_t i) {
      ++flips;
      learn(first + list[i]);
      flipped[i] = 1;
      return std::optional(oracle.sensitive[first + list[i]] != 0);
    });
    for (std::int64_t i = 0; implied && i < found.front; ++i) {
      if (flipped[i] == 0) learn(first + list[i]);
    }
  };
  for (const FaultTarget& target : oracle.space.targets()) {
    for (std::int64_t word = 0; word < target.elements; ++word) {
      const std::size_t bits = target.bits_of(word).size();
      for (const auto& list : search_lists(
               bits, kind, [&](int position) { return oracle.lowers[first + position] != 0; })) {
        search(list);
      }
      first += bits;
    }
  }
  return trace;
}

std::uint64_t wrongly_implied(const Oracle& oracle, const Trace& implied) {
  std::uint64_t wrong = 0;
  for (std::size_t k = 1; k < implied.order.size(); ++k) {
    const bool was_flipped = implied.flips[k] > implied.flips[k - 1];
    wrong += !was_flipped && oracle.sensitive[implied.order[k]] == 0 ? 1 : 0;
  }
  return wrong;
}

Trace replay_sample(const Oracle& oracle, SamplingMethod method, const SelectionOptions& options,
                    std::uint64_t seed) {
  BitDistances distances;
  if (method == SamplingMethod::aware) {
    need_words(oracle, "statfi-aware");
    distances = mean_distances(oracle);
  }
  const auto strata = make_strata(oracle.space, method, distances, options.outliers);
  auto order = draw_strata(oracle.space, strata, options.precision, seed);
  std::ranges::stable_sort(order, {}, [&](std::uint64_t fault) {
    const FaultSite site = oracle.space.site(fault);
    return oracle.space.targets()[site.target].from_msb(site.index, site.bit);
  });
  return flip_each(std::move(order));
}

}  // namespace flipscope
