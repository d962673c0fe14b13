#include "flipscope/analysis/inflection.h"

#include <algorithm>

namespace flipscope {

std::int64_t binary_search_boundary(std::int64_t count,
                                    const std::function<bool(std::int64_t)>& matters) {
  std::int64_t front = 0, rear = count;
  while (front < rear) {
    const std::int64_t middle = (front + rear) / 2;
    if (matters(middle)) {
      front = middle + 1;
    } else {
      rear = middle;
    }
  }
  return front;
}

std::vector<double> heights_above_inflection(const Graph& graph, const FaultSpace& space,
                                             const std::function<bool(std::uint64_t)>& matters) {
  std::vector<double> height(space.size());
  for (std::uint64_t first = 0; first < space.size();) {
    const FaultSite site = space.site(first);
    const FaultTarget& target = space.targets()[site.target];
    const Word word = graph.stored[target.id].words[site.index];
    for (const Word polarity : {0u, 1u}) {
      std::vector<std::uint64_t> faults;  // of this polarity, the most significant bit first
      for (std::size_t b = target.bits.size(); b-- > 0;) {
        if ((word >> target.bits[b] & 1u) == polarity) faults.push_back(first + b);
      }
      const std::int64_t boundary = binary_search_boundary(
          std::ssize(faults), [&](std::int64_t i) { return matters(faults[i]); });
      const int lowest =
          boundary == 0 ? target.encoding.format.bits : target.bits[faults[boundary - 1] - first];
      for (const std::uint64_t fault : faults) {
        height[fault] = target.bits[fault - first] - lowest;
      }
    }
    first += target.bits.size();
  }
  return height;
}

}  // namespace flipscope
