#include "flipscope/analysis/inflection.h"

#include <algorithm>

#include "flipscope/fault/binary_search.h"

namespace flipscope {

std::vector<double> heights_above_inflection(const Graph& graph, const FaultSpace& space,
                                             const std::function<bool(std::uint64_t)>& matters) {
  std::vector<double> height(space.size());
  for (std::uint64_t first = 0; first < space.size();) {
    const FaultSite site = space.site(first);
    const FaultTarget& target = space.targets()[site.target];
    const Word word = graph.stored[target.id].words[site.index];
    const auto lists = search_lists(target.bits.size(), SearchKind::separate, [&](int position) {
      return (word >> target.bits[position] & 1u) != 0;
    });
    for (const std::vector<int>& list : lists) {
      const SearchState found = binary_search(std::ssize(list), [&](std::int64_t i) {
        return std::optional(matters(first + list[i]));
      });
      const int lowest =
          found.front == 0 ? target.encoding.format.bits : target.bits[list[found.front - 1]];
      for (const int position : list) height[first + position] = target.bits[position] - lowest;
    }
    first += target.bits.size();
  }
  return height;
}

}  // namespace flipscope
