// How a stored word is read as a number: fixed point, affine integers, floats, and the one- and
// two-bit formats. Bits are numbered from 0 = least significant.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace flipscope {

/// A stored code word, in the lowest `bits` bits; the others are zero.
using Word = std::uint32_t;

/// Rounding of a real number to an integer. Names follow QONNX; ties are what the half_* modes
/// differ in.
enum class Rounding {
  half_even,            ///< ROUND, HALF_EVEN
  half_away_from_zero,  ///< HALF_UP: sign(x)·floor(|x| + 1/2)
  half_toward_zero,     ///< HALF_DOWN: sign(x)·ceil(|x| − 1/2)
  ceil,                 ///< CEIL
  floor,                ///< FLOOR
  away_from_zero,       ///< UP
  toward_zero,          ///< DOWN, ROUND_TO_ZERO
};

double round_to_integer(double x, Rounding rounding);

/// What happens to a number outside the range.
enum class Overflow { saturate, wrap };

/// The bit pattern's meaning, without any scale.
struct NumberFormat {
  enum class Kind {
    integer,  ///< two's complement or unsigned, 1–32 bits
    float32,
    float16,
    bfloat16,
    bipolar,       ///< one bit: 0 is −1, 1 is +1
    power_of_two,  ///< [sign] [exponent]: ±2^exponent (QKeras quantized_po2); no zero
  };
  Kind kind = Kind::float32;
  int bits = 32;
  bool is_signed = true;
  /// integer: encoding never gives the lowest code if signed (symmetric range), the highest if not.
  bool narrow = false;
  Rounding rounding = Rounding::half_even;
  Overflow overflow = Overflow::saturate;
  int min_exponent = 0;  ///< power_of_two: exponent of the code 0

  bool operator==(const NumberFormat&) const = default;
};

NumberFormat integer_format(int bits, bool is_signed = true, bool narrow = false);
NumberFormat float32_format();
NumberFormat float16_format();
NumberFormat bfloat16_format();
NumberFormat bipolar_format();

/// Smallest and largest number that encode() can give; for floats the finite range.
double lowest(const NumberFormat& format);
double highest(const NumberFormat& format);

/// The number that a word stands for. Every word is legal; a float's NaN words give NaN.
double decode(const NumberFormat& format, Word word);

/// The word nearest to x under the format's rounding and overflow rule. A float format rounds ties
/// to even, overflows to an infinity, and has one word for NaN (quiet, positive, zero payload).
/// Integers encode NaN as 0, and saturate infinities even where finite numbers wrap. A power of two
/// rounds log2|x| and saturates; zero and NaN (and negative numbers, if unsigned) give code 0.
Word encode(const NumberFormat& format, double x);

/// A flip is an involution: the bit is inverted, whatever the word then means.
inline Word flip(Word word, int bit) {
  return word ^ (Word{1} << bit);
}

/// "int8", "uint4", "float32", "bipolar", …
std::string to_string(const NumberFormat& format);

/// The stored bits of an element whose tensor has a wider word: `count` bits of the word, from
/// `lowest` on. Of a signed element the top one is the sign: all higher bits of the word follow it.
struct ElementBits {
  std::uint8_t lowest = 0;
  std::uint8_t count = 0;  ///< 0: the element is always 0 and stored nowhere
  bool is_signed = true;

  bool operator==(const ElementBits&) const = default;
};

/// A number format with its scale: real = (decode(word) − zero_point)·scale. Scales and zero
/// points are one each, or one for each index along `axis`.
struct Encoding {
  NumberFormat format;
  std::vector<double> scale{1.0};
  std::vector<double> zero_point{0.0};
  int axis = -1;
  /// [element of the tensor, C order] where elements have formats of their own, else empty: each
  /// stores all bits of the (integer) format.
  std::vector<ElementBits> elements{};

  /// Number of bits that element `index` stores.
  int width(std::int64_t index) const {
    return elements.empty() ? format.bits : elements[static_cast<std::size_t>(index)].count;
  }
  /// The bits of the word that stored bit `bit` of element `index` stands for.
  Word mask(std::int64_t index, int bit) const;
  /// mask() of each of its stored bits, from the least significant on.
  std::vector<Word> masks(std::int64_t index) const;

  /// Index into scale (or zero_point) of element `index` (flat, C order) of a tensor of `shape`.
  std::size_t channel(std::int64_t index, const std::vector<std::int64_t>& shape) const;
  double scale_of(std::size_t channel) const { return scale[scale.size() == 1 ? 0 : channel]; }
  double zero_point_of(std::size_t channel) const {
    return zero_point[zero_point.size() == 1 ? 0 : channel];
  }
  bool is_float() const {
    return format.kind == NumberFormat::Kind::float32 ||
           format.kind == NumberFormat::Kind::float16 ||
           format.kind == NumberFormat::Kind::bfloat16;
  }
  bool operator==(const Encoding&) const = default;
};

/// Fixed point ap_fixed<bits, integer_bits>: LSB 2^(integer_bits − bits).
Encoding fixed_point(int bits, int integer_bits, bool is_signed = true,
                     Rounding rounding = Rounding::half_even,
                     Overflow overflow = Overflow::saturate);

/// "fixed<6,2>" where the scale is a power of two and the zero point 0, "int8·0.0123",
/// "int8 per channel", "float32"; "fixed<9,3> per element, 0-6 bits".
std::string to_string(const Encoding& encoding);

}  // namespace flipscope
