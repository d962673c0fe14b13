// Which bits of a target may be struck, where its elements may have formats of their own.
#include <algorithm>
#include <map>
#include <set>

#include "flipscope/fault/fault_space.h"

namespace flipscope {

bool FaultTarget::has(std::int64_t index, int bit) const {
  return std::ranges::binary_search(bits_of(index), bit);
}

std::vector<FaultTarget::Width> FaultTarget::widths() const {
  if (encoding.elements.empty()) {
    return {{encoding.format.bits, static_cast<std::uint64_t>(elements), &bits}};
  }
  std::map<int, std::uint64_t> count;
  for (const ElementBits& element : encoding.elements) ++count[element.count];
  std::vector<Width> widths;
  for (const auto& [width, own] : count) {
    widths.push_back({width, own, &bits_of_width[static_cast<std::size_t>(width)]});
  }
  return widths;
}

std::uint64_t FaultTarget::size() const {
  std::uint64_t size = 0;
  for (const Width& own : widths()) size += own.elements * own.bits->size();
  return size;
}

std::uint64_t FaultTarget::size_at(int bit) const {
  std::uint64_t size = 0;
  for (const Width& own : widths()) {
    if (std::ranges::binary_search(*own.bits, bit)) size += own.elements;
  }
  return size;
}

void allow_bits(FaultTarget& target, const std::vector<BitRange>& ranges) {
  target.bits_of_width.clear();
  if (target.encoding.elements.empty()) {
    target.bits = allowed_bits(ranges, target.encoding.format.bits);
    return;
  }
  for (int width = 0; width <= target.encoding.format.bits; ++width) {
    target.bits_of_width.push_back(allowed_bits(ranges, width));
  }
  std::set<int> any;
  for (const FaultTarget::Width& own : target.widths()) {
    any.insert(own.bits->begin(), own.bits->end());
  }
  target.bits.assign(any.begin(), any.end());
}

}  // namespace flipscope
