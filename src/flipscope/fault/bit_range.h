// Which bits of a word may be struck: the text behind --bits.
#pragma once

#include <string>
#include <vector>

namespace flipscope {

/// Bits `first` to `last`, counted from the least significant, or from the most significant
/// downwards where `from_msb` is set.
struct BitRange {
  int first = 0, last = 0;
  bool from_msb = false;
};

/// "0-5", "3", "0,7", "msb:2" (the two highest bits), in any mixture with commas; "" is no range at
/// all. Throws Error where it is anything else.
std::vector<BitRange> parse_bit_ranges(const std::string& text);

/// The positions in a word of `width` bits that some range allows, ascending; all of them where
/// there is no range.
std::vector<int> allowed_bits(const std::vector<BitRange>& ranges, int width);

}  // namespace flipscope
