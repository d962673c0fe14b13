#include "flipscope/ops/packed_kernels.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <vector>

#include "flipscope/ops/rounding.h"

// Integer dot products are worth a target of their own.
#define HWY_WANT_AVX3_DL
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "flipscope/ops/packed_kernels.cc"
#include <hwy/foreach_target.h>
// foreach_target.h must come first.
#include <hwy/highway.h>

// Highway's name of the target lacks the 512-bit form of the instruction that it stands for.
#if HWY_TARGET == HWY_AVX3_DL
HWY_PUSH_ATTRIBUTES(HWY_TARGET_STR ",avx512vnni")
#else
HWY_BEFORE_NAMESPACE();
#endif
namespace flipscope::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET != HWY_AVX2 && HWY_TARGET != HWY_AVX3 && HWY_TARGET != HWY_AVX3_DL

void packed_dot_here(const PackedDot& dot) {
  packed_dot_portable(dot);
}

bool packed_strike_here(const PackedStrike& strike) {
  return packed_strike_portable(strike);
}

double packed_peak_here() {
  return 0;
}

#else

using Ints = hn::CappedTag<std::int32_t, 16>;
using Floats = hn::CappedTag<float, 16>;
using IntVector = hn::Vec<Ints>;
using FloatVector = hn::Vec<Floats>;

constexpr int kVectors = HWY_TARGET == HWY_AVX2 ? 2 : 4;

// The words of this many taps, side by side, stay in the first-level cache while all rows use them.
constexpr std::int64_t kTapsInCache = 128;
constexpr std::int64_t kRowsWorthPacking = 16;

/// Four signed bytes, ready to be multiplied.
struct Factor {
#if HWY_TARGET == HWY_AVX3_DL
  explicit Factor(std::int32_t word) : bytes(hn::Set(Ints(), word)) {}
  IntVector bytes;
#else
  explicit Factor(std::int32_t word)
      : even(hn::Set(Ints(), halves(word))), odd(hn::Set(Ints(), halves(word >> 8))) {}
  /// Bytes 0 and 2 as 16-bit numbers.
  static std::int32_t halves(std::int32_t word) {
    const auto low = static_cast<std::uint16_t>(static_cast<std::int8_t>(word));
    const auto high = static_cast<std::uint16_t>(static_cast<std::int8_t>(word >> 16));
    return static_cast<std::int32_t>(low | std::uint32_t{high} << 16);
  }
  IntVector even, odd;
#endif
};

/// sum + Σ over the four bytes of each word of x (unsigned) times the factor's (signed).
HWY_INLINE IntVector multiply_add(IntVector sum, IntVector x, const Factor& factor) {
#if HWY_TARGET == HWY_AVX3_DL
  return IntVector{_mm512_dpbusd_epi32(sum.raw, x.raw, factor.bytes.raw)};
#else
  const IntVector even = hn::And(x, hn::Set(Ints(), 0x00FF00FF));
  const hn::RebindToUnsigned<Ints> u;
  const IntVector odd = hn::And(hn::BitCast(Ints(), hn::ShiftRight<8>(hn::BitCast(u, x))),
                                hn::Set(Ints(), 0x00FF00FF));
#if HWY_TARGET == HWY_AVX3
  const IntVector a{_mm512_madd_epi16(even.raw, factor.even.raw)};
  const IntVector b{_mm512_madd_epi16(odd.raw, factor.odd.raw)};
#else
  const IntVector a{_mm256_madd_epi16(even.raw, factor.even.raw)};
  const IntVector b{_mm256_madd_epi16(odd.raw, factor.odd.raw)};
#endif
  return hn::Add(sum, hn::Add(a, b));
#endif
}

HWY_INLINE IntVector codes_of(const CodeStep& step, IntVector sum) {
  const Floats f;
  FloatVector y = hn::Sub(hn::ConvertTo(f, sum), hn::Set(f, step.shift));
  y = hn::MulAdd(y, hn::Set(f, step.factor), hn::Set(f, step.offset));
  y = hn::Min(hn::Max(y, hn::Set(f, step.lowest)), hn::Set(f, step.highest));
  const IntVector code = hn::NearestInt(y);
  if (step.last == nullptr) return code;
  const Ints d;
  const IntVector last = hn::GatherIndex(d, step.last, code);
  const auto beyond = step.factor > 0 ? hn::Gt(sum, last) : hn::Lt(sum, last);
  return hn::Sub(code, hn::VecFromMask(d, beyond));
}

/// A stretch of taps for one group of lanes, and where its sums come from and go to.
struct Stretch {
  std::int64_t first = 0;  ///< tap
  std::int64_t last = 0;
  int lane = 0;
  const std::uint8_t* packed = nullptr;  ///< [tap − first][lane of the group][4], or null
  const std::int32_t* from = nullptr;    ///< partial sums, [row][lane of the group], or null
  std::int32_t* to = nullptr;            ///< the same; null after the last stretch
};

template <int Vectors, bool Packed>
void tile(const PackedDot& dot, const Stretch& stretch, std::int64_t row) {
  const Ints d;
  const int width = static_cast<int>(hn::Lanes(d));
  const std::int64_t group = std::int64_t{Vectors} * width;
  IntVector sum[kPack][Vectors];
  HWY_UNROLL(4)
  for (int r = 0; r < kPack; ++r) {
    const std::int32_t* from = nullptr;
    if (stretch.from) {
      from = stretch.from + (row + r) * group;
    } else if (dot.sums) {
      from = dot.sums + (row + r) * dot.sums_step + stretch.lane;
    }
    const IntVector start = hn::Set(d, dot.start ? dot.start[row + r] : 0);
    HWY_UNROLL(4)
    for (int v = 0; v < Vectors; ++v) sum[r][v] = from ? hn::LoadU(d, from + v * width) : start;
  }
  const std::int32_t* weights = dot.weights + row * dot.weight_taps;
  const std::uint8_t* x = Packed ? stretch.packed : dot.x + std::int64_t{stretch.lane} * kPack;
  for (std::int64_t t = stretch.first; t < stretch.last; ++t) {
    const auto* from = reinterpret_cast<const std::int32_t*>(
        Packed ? x + (t - stretch.first) * group * kPack
               : x + std::int64_t{dot.place[t]} * dot.lanes * kPack);
    const std::int32_t* w = weights + std::int64_t{dot.weight[t]} * kPack;
    IntVector in[Vectors];
    HWY_UNROLL(4)
    for (int v = 0; v < Vectors; ++v) in[v] = hn::LoadU(d, from + v * width);
    HWY_UNROLL(4)
    for (int r = 0; r < kPack; ++r) {
      const Factor factor(w[r]);
      HWY_UNROLL(4)
      for (int v = 0; v < Vectors; ++v) sum[r][v] = multiply_add(sum[r][v], in[v], factor);
    }
  }
  if (stretch.to || dot.out_sums) {
    HWY_UNROLL(4)
    for (int r = 0; r < kPack; ++r) {
      std::int32_t* to = stretch.to ? stretch.to + (row + r) * group
                                    : dot.out_sums + (row + r) * dot.out_sums_step + stretch.lane;
      HWY_UNROLL(4)
      for (int v = 0; v < Vectors; ++v) hn::StoreU(sum[r][v], d, to + v * width);
    }
    return;
  }
  auto* codes =
      reinterpret_cast<std::int32_t*>(dot.codes + row / kPack * dot.codes_step) + stretch.lane;
  HWY_UNROLL(4)
  for (int v = 0; v < Vectors; ++v) {
    const IntVector low = hn::Or(codes_of(dot.steps[row], sum[0][v]),
                                 hn::ShiftLeft<8>(codes_of(dot.steps[row + 1], sum[1][v])));
    const IntVector high = hn::Or(hn::ShiftLeft<16>(codes_of(dot.steps[row + 2], sum[2][v])),
                                  hn::ShiftLeft<24>(codes_of(dot.steps[row + 3], sum[3][v])));
    hn::StoreU(hn::Or(low, high), d, codes + v * width);
  }
}

template <int Vectors>
void lane_group(const PackedDot& dot, int lane) {
  const Ints d;
  const int width = static_cast<int>(hn::Lanes(d));
  constexpr std::int64_t kMostLanes = Vectors * 16;
  HWY_ALIGN std::uint8_t packed[kTapsInCache * kMostLanes * kPack];
  static thread_local std::vector<std::int32_t> partial;
  if (dot.taps > kTapsInCache) partial.resize(dot.rows * kMostLanes);
  Stretch stretch{.lane = lane};
  do {
    stretch.last = std::min(stretch.first + kTapsInCache, dot.taps);
    stretch.from = stretch.first > 0 ? partial.data() : nullptr;
    stretch.to = stretch.last < dot.taps ? partial.data() : nullptr;
    if (dot.rows >= kRowsWorthPacking) {
      for (std::int64_t t = stretch.first; t < stretch.last; ++t) {
        const auto* from = reinterpret_cast<const std::int32_t*>(
                               dot.x + std::int64_t{dot.place[t]} * dot.lanes * kPack) +
                           lane;
        auto* to =
            reinterpret_cast<std::int32_t*>(packed) + (t - stretch.first) * (Vectors * width);
        HWY_UNROLL(4)
        for (int v = 0; v < Vectors; ++v) {
          hn::StoreU(hn::LoadU(d, from + v * width), d, to + v * width);
        }
      }
      stretch.packed = packed;
      for (std::int64_t row = 0; row < dot.rows; row += kPack) {
        tile<Vectors, true>(dot, stretch, row);
      }
    } else {
      for (std::int64_t row = 0; row < dot.rows; row += kPack) {
        tile<Vectors, false>(dot, stretch, row);
      }
    }
    stretch.first = stretch.last;
  } while (stretch.first < dot.taps);
}

void packed_dot_here(const PackedDot& dot) {
  const int width = static_cast<int>(hn::Lanes(Ints()));
  int lane = 0;
  for (; lane + kVectors * width <= dot.lanes; lane += kVectors * width) {
    lane_group<kVectors>(dot, lane);
  }
  for (; lane < dot.lanes; lane += width) lane_group<1>(dot, lane);
}

bool packed_strike_here(const PackedStrike& strike) {
  const Ints d;
  const int width = static_cast<int>(hn::Lanes(d));
  const IntVector add = hn::Set(d, strike.add);
  const IntVector others = hn::Set(d, static_cast<std::int32_t>(~(0xFFu << (8 * strike.byte))));
  const auto* golden = reinterpret_cast<const std::int32_t*>(strike.golden);
  auto* out = reinterpret_cast<std::int32_t*>(strike.out);
  IntVector changed = hn::Zero(d);
  for (std::int64_t p = 0; p < strike.positions; ++p) {
    for (int lane = 0; lane < strike.lanes; lane += width) {
      const std::int64_t at = p * strike.lanes + lane;
      IntVector sum = hn::Add(hn::LoadU(d, strike.sums + at), add);
      for (int k = 0; k < strike.patch_count; ++k) {
        const PackedPatch& patch = strike.patches[k];
        if (patch.place[p] < 0) continue;
        const IntVector x = hn::LoadU(d, reinterpret_cast<const std::int32_t*>(patch.x) +
                                             std::int64_t{patch.place[p]} * strike.lanes + lane);
        sum = multiply_add(hn::Add(sum, hn::Set(d, patch.add)), x, Factor(patch.weight));
      }
      const IntVector before = hn::LoadU(d, golden + at);
      const IntVector code = hn::Shl(codes_of(strike.step, sum), hn::Set(d, 8 * strike.byte));
      const IntVector word = hn::Or(hn::And(before, others), code);
      changed = hn::Or(changed, hn::Xor(before, word));
      hn::StoreU(word, d, out + at);
    }
  }
  return !hn::AllTrue(d, hn::Eq(changed, hn::Zero(d)));
}

double packed_peak_here() {
  const Ints d;
  constexpr int kChains = 12;
  constexpr std::int64_t kSteps = 2'000'000;
  double best = 0;
  for (int attempt = 0; attempt < 5; ++attempt) {
    IntVector sum[kChains];
    for (int i = 0; i < kChains; ++i) sum[i] = hn::Set(d, i);
    const Factor factor(0x01020304);
    const IntVector x = hn::Set(d, attempt);
    const auto start = std::chrono::steady_clock::now();
    for (std::int64_t step = 0; step < kSteps; ++step) {
      HWY_UNROLL(12)
      for (int i = 0; i < kChains; ++i) sum[i] = multiply_add(sum[i], x, factor);
    }
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    IntVector all = sum[0];
    for (int i = 1; i < kChains; ++i) all = hn::Add(all, sum[i]);
    HWY_ALIGN std::int32_t sink[16];
    hn::Store(all, d, sink);
    if (sink[0] == 12345) return 0;
    const double operations =
        2.0 * kPack * kChains * kSteps * static_cast<double>(hn::Lanes(d)) / took.count();
    best = std::max(best, operations);
  }
  return best;
}

#endif

}  // namespace flipscope::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace flipscope {

HWY_EXPORT(packed_dot_here);
HWY_EXPORT(packed_strike_here);
HWY_EXPORT(packed_peak_here);

namespace {

/// Σ of the products of a word's bytes: signed in w, unsigned in x.
std::int32_t word_product(std::int32_t w, const std::uint8_t* x) {
  std::int32_t sum = 0;
  for (int b = 0; b < kPack; ++b) sum += static_cast<std::int8_t>(w >> (8 * b)) * x[b];
  return sum;
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

void packed_dot(const PackedDot& dot) {
  HWY_DYNAMIC_DISPATCH(packed_dot_here)(dot);
}

void packed_dot_portable(const PackedDot& dot) {
  for (std::int64_t row = 0; row < dot.rows; ++row) {
    const std::int32_t* weights = dot.weights + row / kPack * kPack * dot.weight_taps + row % kPack;
    for (int lane = 0; lane < dot.lanes; ++lane) {
      std::int32_t sum =
          dot.sums ? dot.sums[row * dot.sums_step + lane] : (dot.start ? dot.start[row] : 0);
      for (std::int64_t t = 0; t < dot.taps; ++t) {
        sum += word_product(weights[std::int64_t{dot.weight[t]} * kPack],
                            dot.x + (std::int64_t{dot.place[t]} * dot.lanes + lane) * kPack);
      }
      if (dot.out_sums) {
        dot.out_sums[row * dot.out_sums_step + lane] = sum;
      } else {
        dot.codes[row / kPack * dot.codes_step + lane * kPack + row % kPack] =
            static_cast<std::uint8_t>(code_of(dot.steps[row], sum));
      }
    }
  }
}

bool packed_strike(const PackedStrike& strike) {
  return HWY_DYNAMIC_DISPATCH(packed_strike_here)(strike);
}

bool packed_strike_portable(const PackedStrike& strike) {
  bool changed = false;
  for (std::int64_t p = 0; p < strike.positions; ++p) {
    for (int lane = 0; lane < strike.lanes; ++lane) {
      const std::int64_t at = p * strike.lanes + lane;
      std::int32_t sum = strike.sums[at] + strike.add;
      for (int k = 0; k < strike.patch_count; ++k) {
        const PackedPatch& patch = strike.patches[k];
        if (patch.place[p] < 0) continue;
        const std::uint8_t* x =
            patch.x + (std::int64_t{patch.place[p]} * strike.lanes + lane) * kPack;
        sum += patch.add + word_product(patch.weight, x);
      }
      std::memcpy(strike.out + at * kPack, strike.golden + at * kPack, kPack);
      std::uint8_t& byte = strike.out[at * kPack + strike.byte];
      const auto code = static_cast<std::uint8_t>(code_of(strike.step, sum));
      changed = changed || code != byte;
      byte = code;
    }
  }
  return changed;
}

double measure_packed_peak() {
  return HWY_DYNAMIC_DISPATCH(packed_peak_here)();
}

}  // namespace flipscope
#endif
