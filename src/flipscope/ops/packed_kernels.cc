#include "flipscope/ops/packed_kernels.h"

#include <algorithm>
#include <chrono>
#include <vector>

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

/// A word of signed codes, ready to be multiplied.
template <Packing In>
struct Factor {
  explicit Factor(std::int32_t word) : codes(hn::Set(Ints(), word)) {}
  IntVector codes;
};

HWY_INLINE IntVector multiply_halves(IntVector x, IntVector factor) {
#if HWY_TARGET == HWY_AVX2
  return IntVector{_mm256_madd_epi16(x.raw, factor.raw)};
#else
  return IntVector{_mm512_madd_epi16(x.raw, factor.raw)};
#endif
}

/// sum + Σ over the halves of each word of x times the factor's.
HWY_INLINE IntVector multiply_add(IntVector sum, IntVector x,
                                  const Factor<Packing::halves>& factor) {
#if HWY_TARGET == HWY_AVX3_DL
  return IntVector{_mm512_dpwssd_epi32(sum.raw, x.raw, factor.codes.raw)};
#else
  return hn::Add(sum, multiply_halves(x, factor.codes));
#endif
}

#if HWY_TARGET == HWY_AVX3_DL

/// sum + Σ over the four bytes of each word of x (unsigned) times the factor's (signed).
HWY_INLINE IntVector multiply_add(IntVector sum, IntVector x,
                                  const Factor<Packing::bytes>& factor) {
  return IntVector{_mm512_dpbusd_epi32(sum.raw, x.raw, factor.codes.raw)};
}

#else

/// Four signed bytes as two times two halves.
template <>
struct Factor<Packing::bytes> {
  explicit Factor(std::int32_t word)
      : even(hn::Set(Ints(), halves(word))), odd(hn::Set(Ints(), halves(word >> 8))) {}
  /// Bytes 0 and 2 as 16-bit numbers.
  static std::int32_t halves(std::int32_t word) {
    const auto low = static_cast<std::uint16_t>(static_cast<std::int8_t>(word));
    const auto high = static_cast<std::uint16_t>(static_cast<std::int8_t>(word >> 16));
    return static_cast<std::int32_t>(low | std::uint32_t{high} << 16);
  }
  IntVector even, odd;
};

/// sum + Σ over the four bytes of each word of x (unsigned) times the factor's (signed).
HWY_INLINE IntVector multiply_add(IntVector sum, IntVector x,
                                  const Factor<Packing::bytes>& factor) {
  const IntVector even = hn::And(x, hn::Set(Ints(), 0x00FF00FF));
  const hn::RebindToUnsigned<Ints> u;
  const IntVector odd = hn::And(hn::BitCast(Ints(), hn::ShiftRight<8>(hn::BitCast(u, x))),
                                hn::Set(Ints(), 0x00FF00FF));
  return hn::Add(sum,
                 hn::Add(multiply_halves(even, factor.even), multiply_halves(odd, factor.odd)));
}

#endif

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

/// Two codes as the halves of a word.
HWY_INLINE IntVector join_halves(IntVector low, IntVector high) {
  return hn::Xor(hn::Or(low, hn::ShiftLeft<16>(high)),
                 hn::Set(Ints(), static_cast<std::int32_t>(0x80008000u)));
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

template <int Vectors, bool Packed, Packing In>
void tile(const PackedDot& dot, const Stretch& stretch, std::int64_t row) {
  const Ints d;
  const int width = static_cast<int>(hn::Lanes(d));
  const std::int64_t group = std::int64_t{Vectors} * width;
  IntVector sum[kTile][Vectors];
  HWY_UNROLL(4)
  for (int r = 0; r < kTile; ++r) {
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
  const std::uint8_t* x = Packed ? stretch.packed : dot.x + std::int64_t{stretch.lane} * kWord;
  for (std::int64_t t = stretch.first; t < stretch.last; ++t) {
    const auto* from = reinterpret_cast<const std::int32_t*>(
        Packed ? x + (t - stretch.first) * group * kWord
               : x + std::int64_t{dot.place[t]} * dot.lanes * kWord);
    const std::int32_t* w = weights + std::int64_t{dot.weight[t]} * kTile;
    IntVector in[Vectors];
    HWY_UNROLL(4)
    for (int v = 0; v < Vectors; ++v) in[v] = hn::LoadU(d, from + v * width);
    HWY_UNROLL(4)
    for (int r = 0; r < kTile; ++r) {
      const Factor<In> factor(w[r]);
      HWY_UNROLL(4)
      for (int v = 0; v < Vectors; ++v) sum[r][v] = multiply_add(sum[r][v], in[v], factor);
    }
  }
  if (stretch.to || dot.out_sums) {
    HWY_UNROLL(4)
    for (int r = 0; r < kTile; ++r) {
      std::int32_t* to = stretch.to ? stretch.to + (row + r) * group
                                    : dot.out_sums + (row + r) * dot.out_sums_step + stretch.lane;
      HWY_UNROLL(4)
      for (int v = 0; v < Vectors; ++v) hn::StoreU(sum[r][v], d, to + v * width);
    }
    return;
  }
  auto* codes =
      reinterpret_cast<std::int32_t*>(dot.codes + row / codes_in_word(dot.out) * dot.codes_step) +
      stretch.lane;
  HWY_UNROLL(4)
  for (int v = 0; v < Vectors; ++v) {
    IntVector code[kTile];
    HWY_UNROLL(4)
    for (int r = 0; r < kTile; ++r) code[r] = codes_of(dot.steps[row + r], sum[r][v]);
    std::int32_t* to = codes + v * width;
    if (dot.out == Packing::bytes) {
      const IntVector low = hn::Or(code[0], hn::ShiftLeft<8>(code[1]));
      const IntVector high = hn::Or(hn::ShiftLeft<16>(code[2]), hn::ShiftLeft<24>(code[3]));
      hn::StoreU(hn::Or(low, high), d, to);
    } else {
      hn::StoreU(join_halves(code[0], code[1]), d, to);
      hn::StoreU(join_halves(code[2], code[3]), d, to + dot.codes_step / kWord);
    }
  }
}

template <int Vectors, Packing In>
void lane_group(const PackedDot& dot, int lane) {
  const Ints d;
  const int width = static_cast<int>(hn::Lanes(d));
  constexpr std::int64_t kMostLanes = Vectors * 16;
  HWY_ALIGN std::uint8_t packed[kTapsInCache * kMostLanes * kWord];
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
                               dot.x + std::int64_t{dot.place[t]} * dot.lanes * kWord) +
                           lane;
        auto* to =
            reinterpret_cast<std::int32_t*>(packed) + (t - stretch.first) * (Vectors * width);
        HWY_UNROLL(4)
        for (int v = 0; v < Vectors; ++v) {
          hn::StoreU(hn::LoadU(d, from + v * width), d, to + v * width);
        }
      }
      stretch.packed = packed;
      for (std::int64_t row = 0; row < dot.rows; row += kTile) {
        tile<Vectors, true, In>(dot, stretch, row);
      }
    } else {
      for (std::int64_t row = 0; row < dot.rows; row += kTile) {
        tile<Vectors, false, In>(dot, stretch, row);
      }
    }
    stretch.first = stretch.last;
  } while (stretch.first < dot.taps);
}

template <Packing In>
void dot_of(const PackedDot& dot) {
  const int width = static_cast<int>(hn::Lanes(Ints()));
  int lane = 0;
  for (; lane + kVectors * width <= dot.lanes; lane += kVectors * width) {
    lane_group<kVectors, In>(dot, lane);
  }
  for (; lane < dot.lanes; lane += width) lane_group<1, In>(dot, lane);
}

void packed_dot_here(const PackedDot& dot) {
  dot.in == Packing::bytes ? dot_of<Packing::bytes>(dot) : dot_of<Packing::halves>(dot);
}

template <Packing In>
bool strike_of(const PackedStrike& strike) {
  const Ints d;
  const int width = static_cast<int>(hn::Lanes(d));
  const IntVector add = hn::Set(d, strike.add);
  const int bits = bits_in_word(strike.out), shift = bits * strike.slot;
  const std::uint32_t own = (std::uint32_t{1} << bits) - 1;
  const IntVector others = hn::Set(d, static_cast<std::int32_t>(~(own << shift)));
  const IntVector sign = hn::Set(d, stored_offset(strike.out) & static_cast<std::int32_t>(own));
  const auto* golden = reinterpret_cast<const std::int32_t*>(strike.golden);
  auto* out = reinterpret_cast<std::int32_t*>(strike.out_words);
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
        sum = multiply_add(hn::Add(sum, hn::Set(d, patch.add)), x, Factor<In>(patch.weight));
      }
      const IntVector before = hn::LoadU(d, golden + at);
      const IntVector code = hn::Shl(hn::Xor(codes_of(strike.step, sum), sign), hn::Set(d, shift));
      const IntVector word = hn::Or(hn::And(before, others), code);
      changed = hn::Or(changed, hn::Xor(before, word));
      hn::StoreU(word, d, out + at);
    }
  }
  return !hn::AllTrue(d, hn::Eq(changed, hn::Zero(d)));
}

bool packed_strike_here(const PackedStrike& strike) {
  return strike.in == Packing::bytes ? strike_of<Packing::bytes>(strike)
                                     : strike_of<Packing::halves>(strike);
}

double packed_peak_here() {
  const Ints d;
  constexpr int kChains = 12;
  constexpr std::int64_t kSteps = 2'000'000;
  double best = 0;
  for (int attempt = 0; attempt < 5; ++attempt) {
    IntVector sum[kChains];
    for (int i = 0; i < kChains; ++i) sum[i] = hn::Set(d, i);
    const Factor<Packing::bytes> factor(0x01020304);
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
    const double operations = 2.0 * codes_in_word(Packing::bytes) * kChains * kSteps *
                              static_cast<double>(hn::Lanes(d)) / took.count();
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

void packed_dot(const PackedDot& dot) {
  HWY_DYNAMIC_DISPATCH(packed_dot_here)(dot);
}

bool packed_strike(const PackedStrike& strike) {
  return HWY_DYNAMIC_DISPATCH(packed_strike_here)(strike);
}

double measure_packed_peak() {
  return HWY_DYNAMIC_DISPATCH(packed_peak_here)();
}

}  // namespace flipscope
#endif
