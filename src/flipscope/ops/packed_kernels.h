// Hot loops over codes of one byte, summed in 32-bit integers.
//
// Four channels lie side by side, [channel / 4][position][lane][channel % 4], as the machine's
// integer dot products want them: one instruction multiplies and adds 64 pairs of bytes (VNNI).
// Integer sums are exact, so the result is the same on every instruction set.
#pragma once

#include <cstdint>

namespace flipscope {

/// Channels that share a 32-bit word.
inline constexpr int kPack = 4;

/// From a sum to a stored byte:
/// code = round_half_even(clamp(fma(float32(sum) − shift, factor, offset), lowest, highest)).
/// With `last` the code may be one too low, and becomes code + 1 where the sum is beyond
/// last[code]: above it, or below it if the factor is negative.
struct CodeStep {
  float shift = 0, factor = 0, offset = 0;
  float lowest = 0, highest = 0;       ///< whole numbers from 0 to 255
  const std::int32_t* last = nullptr;  ///< [code] last sum that has it, or null
};

/// Codes of one row have this many entries in CodeStep::last.
inline constexpr int kCodes = 256;

/// The byte of one sum.
int code_of(const CodeStep& step, std::int64_t sum);

/// All rows (output channels) of an affine operator at one output position:
/// sum[r][lane] = (sums ? sums[r·sums_step + lane] : start[r])
///              + Σₜ Σ_b weights[((r/4)·weight_taps + weight[t])·4 + r%4].b · x[place[t]][lane].b
/// over the four bytes b of a word: signed in weights, unsigned in x.
struct PackedDot {
  const std::uint8_t* x = nullptr;      ///< [place][lane][4]
  const std::int32_t* place = nullptr;  ///< [taps]
  const std::int32_t* weights = nullptr;
  const std::int32_t* weight = nullptr;  ///< [taps]
  std::int64_t weight_taps = 0;
  std::int64_t taps = 0;
  const std::int32_t* start = nullptr;  ///< [rows]
  const std::int32_t* sums = nullptr;
  std::int64_t sums_step = 0;
  std::int64_t rows = 0;  ///< a multiple of kPack
  int lanes = 0;          ///< a multiple of kLaneGroup
  /// Where the result goes: bytes codes[(r/4)·codes_step + lane·4 + r%4] by steps[r], or sums.
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
  const std::uint8_t* x = nullptr;      ///< [place][lane][4]
  const std::int32_t* place = nullptr;  ///< [position]; −1 where the tap is padded
  std::int32_t weight = 0;              ///< the change, four signed bytes
  std::int32_t add = 0;                 ///< beside the product, where the tap is not padded
};

/// One row at all output positions, from its golden sums: what the patches and `add` make of them.
struct PackedStrike {
  const PackedPatch* patches = nullptr;
  int patch_count = 0;
  std::int32_t add = 0;                ///< change of the row's bias
  const std::int32_t* sums = nullptr;  ///< golden, [position][lane]
  std::int64_t positions = 0;
  int lanes = 0;
  CodeStep step;
  int byte = 0;                          ///< the row's place in its word
  const std::uint8_t* golden = nullptr;  ///< [position][lane][4]
  std::uint8_t* out = nullptr;           ///< the golden words with the row's new bytes
};

/// True where a byte differs from the golden one.
bool packed_strike(const PackedStrike& strike);
bool packed_strike_portable(const PackedStrike& strike);

/// One thread's peak of byte multiply-adds, measured: operations/s (two per multiply-add).
double measure_packed_peak();

}  // namespace flipscope
