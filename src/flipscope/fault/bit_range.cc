// Which bits of a word may be struck: the text behind --bits.
#include "flipscope/fault/bit_range.h"

#include <algorithm>
#include <optional>
#include <string_view>

#include "flipscope/model/text.h"
#include "flipscope/numeric/error.h"

namespace flipscope {
namespace {

constexpr int kWidestWord = 32;

[[noreturn]] void refuse(const std::string& text) {
  fail("faults", "--bits '{}' is not a list such as 0-5, 3, 0,7 or msb:2 (bits 0 to {})", text,
       kWidestWord - 1);
}

int parse_bit(std::string_view digits, const std::string& text) {
  const std::optional<int> bit = parse_whole<int>(digits);
  if (!bit || *bit < 0) refuse(text);
  return *bit;
}

BitRange parse_range(std::string_view item, const std::string& text) {
  constexpr std::string_view kMsb = "msb:";
  BitRange range;
  if (item.starts_with(kMsb)) {
    const int count = parse_bit(item.substr(kMsb.size()), text);
    range = {0, count - 1, true};
  } else if (const auto dash = item.find('-'); dash != std::string_view::npos) {
    range = {parse_bit(item.substr(0, dash), text), parse_bit(item.substr(dash + 1), text), false};
  } else {
    range.first = range.last = parse_bit(item, text);
  }
  if (range.last < range.first || range.last >= kWidestWord) refuse(text);
  return range;
}

}  // namespace

std::vector<BitRange> parse_bit_ranges(const std::string& text) {
  std::vector<BitRange> ranges;
  if (text.empty()) return ranges;
  for (const std::string& item : split_text(text)) ranges.push_back(parse_range(item, text));
  return ranges;
}

std::vector<int> allowed_bits(const std::vector<BitRange>& ranges, int width) {
  std::vector<int> bits;
  for (int bit = 0; bit < width; ++bit) {
    const auto allows = [&](const BitRange& range) {
      const int position = range.from_msb ? width - 1 - bit : bit;
      return range.first <= position && position <= range.last;
    };
    if (ranges.empty() || std::ranges::any_of(ranges, allows)) bits.push_back(bit);
  }
  return bits;
}

}  // namespace flipscope
