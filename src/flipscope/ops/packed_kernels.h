// Hot loops over codes of one byte or of 16 bits, summed in 32-bit integers.
//
// Channels lie side by side in words of 32 bits, [channel / n][position][lane][channel % n], as the
// machine's integer dot products want them: one instruction multiplies and adds 64 pairs of bytes,
// or 32 pairs of halves (VNNI). Integer sums are exact, so the result is the same on every
// instruction set; they are taken modulo 2^32, so that only the whole sum has to fit.
#pragma once

#include <cstdint>

namespace flipscope {

/// What a word of 32 bits holds: four unsigned bytes, or two halves, each 32768 less than the
/// (unsigned) code that it stands for.
enum class Packing : std::uint8_t { bytes, halves };

/// Codes in a word.
constexpr int codes_in_word(Packing packing) {
  return packing == Packing::bytes ? 4 : 2;
}

/// Bits of a code in a word.
constexpr int bits_in_word(Packing packing) {
  return 32 / codes_in_word(packing);
}

/// Codes that a place in a word can hold: 0 … this − 1.
constexpr int code_count(Packing packing) {
  return 1 << bits_in_word(packing);
}

/// What is multiplied, less the code.
constexpr int stored_offset(Packing packing) {
  return packing == Packing::bytes ? 0 : -32768;
}

/// Bytes of a word.
inline constexpr int kWord = 4;

/// Rows (output channels) that are summed together.
inline constexpr int kTile = 4;

/// From a sum to a code:
/// code = round_half_even(clamp(fma(float32(sum) − shift, factor, offset), lowest, highest)).
/// With `last` the code may be one too low, and becomes code + 1 where the sum is beyond
/// last[code]: above it, or below it if the factor is negative.
struct CodeStep {
  float shift = 0, factor = 0, offset = 0;
  float lowest = 0, highest = 0;       ///< whole numbers from 0 to code_count − 1
  const std::int32_t* last = nullptr;  ///< [code] last sum that has it, or null
};

/// The code of one sum.
int code_of(const CodeStep& step, std::int64_t sum);

/// All rows of an affine operator at one output position:
/// sum[r][lane] = (sums ? sums[r·sums_step + lane] : start[r])
///              + Σₜ Σ_b weights[((r/4)·weight_taps + weight[t])·4 + r%4].b · x[place[t]][lane].b
/// over the codes b of a word: signed in weights, in x as `in` says.
struct PackedDot {
  Packing in = Packing::bytes, out = Packing::bytes;
  const std::uint8_t* x = nullptr;      ///< words, [place][lane]
  const std::int32_t* place = nullptr;  ///< [taps]
  const std::int32_t* weights = nullptr;
  const std::int32_t* weight = nullptr;  ///< [taps]
  std::int64_t weight_taps = 0;
  std::int64_t taps = 0;
  const std::int32_t* start = nullptr;  ///< [rows]
  const std::int32_t* sums = nullptr;
  std::int64_t sums_step = 0;
  std::int64_t rows = 0;  ///< a multiple of kTile
  int lanes = 0;          ///< a multiple of kLaneGroup
  /// Where the result goes: codes by steps[r], in words [r / n][lane] that lie codes_step bytes
  /// apart, n codes in each; or sums.
  const CodeStep* steps = nullptr;
  std::uint8_t* codes = nullptr;
  std::int64_t codes_step = 0;
  std::int32_t* out_sums = nullptr;  ///< [r·out_sums_step + lane]
  std::int64_t out_sums_step = 0;
};

void packed_dot(const PackedDot& dot);
void packed_dot_portable(const PackedDot& dot);

/// One struck weight: what it adds to the sums of its row.
struct PackedPatch {
  const std::uint8_t* x = nullptr;      ///< words, [place][lane]
  const std::int32_t* place = nullptr;  ///< [position]; −1 where the tap is padded
  std::int32_t weight = 0;              ///< the change, a word of signed codes
  std::int32_t add = 0;                 ///< beside the product, where the tap is not padded
};

/// One row at all output positions, from its golden sums: what the patches and `add` make of them.
struct PackedStrike {
  Packing in = Packing::bytes, out = Packing::bytes;
  const PackedPatch* patches = nullptr;
  int patch_count = 0;
  std::int32_t add = 0;                ///< change of the row's bias
  const std::int32_t* sums = nullptr;  ///< golden, [position][lane]
  std::int64_t positions = 0;
  int lanes = 0;
  CodeStep step;
  int slot = 0;                          ///< the row's place in its word
  const std::uint8_t* golden = nullptr;  ///< words, [position][lane]
  std::uint8_t* out_words = nullptr;     ///< the same with the row's new codes; may be `golden`
};

/// True where a code differs from the one before.
bool packed_strike(const PackedStrike& strike);
bool packed_strike_portable(const PackedStrike& strike);

/// One thread's peak of byte multiply-adds, measured: operations/s (two per multiply-add).
double measure_packed_peak();

}  // namespace flipscope
