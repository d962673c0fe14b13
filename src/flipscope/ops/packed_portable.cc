// The loops of packed_kernels.h for any machine, word by word.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "flipscope/ops/packed_kernels.h"
#include "flipscope/ops/rounding.h"

namespace flipscope {

namespace {

/// Σ of the products of a word's codes, modulo 2^32.
std::uint32_t word_product(Packing packing, std::int32_t w, const std::uint8_t* x) {
  std::uint32_t word = 0, sum = 0;
  std::memcpy(&word, x, kWord);
  for (int shift = 0; shift < 32; shift += bits_in_word(packing)) {
    const std::int32_t weight = w >> shift;
    const std::uint32_t code = word >> shift;
    sum += static_cast<std::uint32_t>(
        packing == Packing::bytes
            ? static_cast<std::int8_t>(weight) * static_cast<std::uint8_t>(code)
            : static_cast<std::int16_t>(weight) * static_cast<std::int16_t>(code));
  }
  return sum;
}

/// A word with another code in one of its slots.
void set_code(Packing packing, int slot, int code, std::uint8_t* to) {
  std::uint32_t word = 0;
  std::memcpy(&word, to, kWord);
  const int bits = bits_in_word(packing), shift = bits * slot;
  const std::uint32_t own = (std::uint32_t{1} << bits) - 1;
  const auto stored = static_cast<std::uint32_t>(code + stored_offset(packing)) & own;
  word = (word & ~(own << shift)) | stored << shift;
  std::memcpy(to, &word, kWord);
}

}  // namespace

int code_of(const CodeStep& step, std::int64_t sum) {
  const float y = std::fma(static_cast<float>(sum) - step.shift, step.factor, step.offset);
  const int code =
      static_cast<int>(round_half_even(std::min(std::max(y, step.lowest), step.highest)));
  if (step.last == nullptr) return code;
  const std::int64_t last = step.last[code];
  return code + ((step.factor > 0 ? sum > last : sum < last) ? 1 : 0);
}

void packed_dot_portable(const PackedDot& dot) {
  const int in_word = codes_in_word(dot.out);
  for (std::int64_t row = 0; row < dot.rows; ++row) {
    const std::int32_t* weights = dot.weights + row / kTile * kTile * dot.weight_taps + row % kTile;
    for (int lane = 0; lane < dot.lanes; ++lane) {
      auto sum = static_cast<std::uint32_t>(dot.sums ? dot.sums[row * dot.sums_step + lane]
                                                     : (dot.start ? dot.start[row] : 0));
      for (std::int64_t t = 0; t < dot.taps; ++t) {
        sum += word_product(dot.in, weights[std::int64_t{dot.weight[t]} * kTile],
                            dot.x + (std::int64_t{dot.place[t]} * dot.lanes + lane) * kWord);
      }
      const auto result = static_cast<std::int32_t>(sum);
      if (dot.out_sums) {
        dot.out_sums[row * dot.out_sums_step + lane] = result;
      } else {
        set_code(dot.out, static_cast<int>(row % in_word), code_of(dot.steps[row], result),
                 dot.codes + row / in_word * dot.codes_step + lane * kWord);
      }
    }
  }
}

bool packed_strike_portable(const PackedStrike& strike) {
  bool changed = false;
  for (std::int64_t p = 0; p < strike.positions; ++p) {
    for (int lane = 0; lane < strike.lanes; ++lane) {
      const std::int64_t at = p * strike.lanes + lane;
      auto sum =
          static_cast<std::uint32_t>(strike.sums[at]) + static_cast<std::uint32_t>(strike.add);
      for (int k = 0; k < strike.patch_count; ++k) {
        const PackedPatch& patch = strike.patches[k];
        if (patch.place[p] < 0) continue;
        const std::uint8_t* x =
            patch.x + (std::int64_t{patch.place[p]} * strike.lanes + lane) * kWord;
        sum += static_cast<std::uint32_t>(patch.add) + word_product(strike.in, patch.weight, x);
      }
      std::uint32_t before = 0;  // out_words may be golden
      std::memcpy(&before, strike.golden + at * kWord, kWord);
      std::uint8_t* to = strike.out_words + at * kWord;
      std::memcpy(to, &before, kWord);
      set_code(strike.out, strike.slot, code_of(strike.step, static_cast<std::int32_t>(sum)), to);
      changed = changed || std::memcmp(to, &before, kWord) != 0;
    }
  }
  return changed;
}

}  // namespace flipscope
