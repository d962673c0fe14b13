// A number format with its scale.
#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <cmath>

#include "flipscope/numeric/error.h"
#include "flipscope/numeric/number_format.h"

namespace flipscope {

std::size_t Encoding::channel(std::int64_t index, const std::vector<std::int64_t>& shape) const {
  if (axis < 0) return 0;
  assert(static_cast<std::size_t>(axis) < shape.size());
  std::int64_t stride = 1;
  for (std::size_t i = shape.size() - 1; i > static_cast<std::size_t>(axis); --i) {
    stride *= shape[i];
  }
  return static_cast<std::size_t>(index / stride % shape[static_cast<std::size_t>(axis)]);
}

Word Encoding::mask(std::int64_t index, int bit) const {
  if (elements.empty()) return Word{1} << bit;
  const ElementBits& element = elements[static_cast<std::size_t>(index)];
  assert(bit < element.count);
  const Word one = Word{1} << (element.lowest + bit);
  if (!element.is_signed || bit + 1 < element.count) return one;
  const Word whole = ~Word{0} >> (32 - format.bits);
  return whole & ~(one - 1);
}

std::vector<Word> Encoding::masks(std::int64_t index) const {
  std::vector<Word> masks;
  for (int bit = 0; bit < width(index); ++bit) masks.push_back(mask(index, bit));
  return masks;
}

Encoding fixed_point(int bits, int integer_bits, bool is_signed, Rounding rounding,
                     Overflow overflow) {
  Encoding encoding;
  encoding.format = integer_format(bits, is_signed);
  encoding.format.rounding = rounding;
  encoding.format.overflow = overflow;
  encoding.scale = {std::ldexp(1.0, integer_bits - bits)};
  return encoding;
}

std::string to_string(const Encoding& encoding) {
  if (!encoding.elements.empty()) {
    Encoding word = encoding;
    word.elements.clear();
    const auto [least, most] = std::ranges::minmax(
        encoding.elements, {}, [](const ElementBits& element) { return element.count; });
    return fmt::format("{} per element, {}-{} bits", to_string(word), least.count, most.count);
  }
  const NumberFormat& format = encoding.format;
  const std::string name = to_string(format);
  if (encoding.scale.size() != 1 || encoding.zero_point.size() != 1) return name + " per channel";
  const double scale = encoding.scale[0];
  const double zero_point = encoding.zero_point[0];

  int exponent = 0;
  const bool power_of_two = std::frexp(scale, &exponent) == 0.5;
  if (format.kind == NumberFormat::Kind::integer && power_of_two && zero_point == 0) {
    return fmt::format("{}<{},{}>{}", format.is_signed ? "fixed" : "ufixed", format.bits,
                       format.bits + exponent - 1, format.narrow ? " narrow" : "");
  }
  const std::string offset =
      zero_point == 0
          ? name
          : fmt::format("({} {} {:g})", name, zero_point < 0 ? '+' : '-', std::fabs(zero_point));
  return scale == 1 ? offset : fmt::format("{}·{:.4g}", offset, scale);
}

}  // namespace flipscope
