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
    const std::vector<int>& bits = target.bits_of(site.index);
    const auto lists = search_lists(bits.size(), SearchKind::separate, [&](int position) {
      return flip_lowers(graph.stored[target.id], site.index, bits[position]);
    });
    for (const std::vector<int>& list : lists) {
      const SearchState found = binary_search(std::ssize(list), [&](std::int64_t i) {
        return std::optional(matters(first + list[i]));
      });
      const int lowest =
          found.front == 0 ? target.encoding.width(site.index) : bits[list[found.front - 1]];
      for (const int position : list) height[first + position] = bits[position] - lowest;
    }
    first += bits.size();
  }
  return height;
}

}  // namespace flipscope
