#include "flipscope/ops/kernels.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "flipscope/ops/rounding.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "flipscope/ops/kernels.cc"
#include <hwy/foreach_target.h>
// foreach_target.h must come first.
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace flipscope::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Without a fused multiply-add in hardware only the portable loop is right.
#if !HWY_NATIVE_FMA

void dot_floats_here(const DotRows<float>& dot) {
  dot_rows_portable(dot);
}

void dot_doubles_here(const DotRows<double>& dot) {
  dot_rows_portable(dot);
}

void quantize_row_here(const QuantizeRow& row) {
  quantize_row_portable(row);
}

void pick_lanes_here(const float* row, const std::int32_t* picked, int lanes, float* out) {
  for (int lane = 0; lane < lanes; ++lane) out[lane] = row[picked[lane]];
}

double peak_here() {
  return 0;
}

#else

using Floats = hn::CappedTag<float, 16>;
using Vector = hn::Vec<Floats>;

// Rows × Vectors accumulators live in registers. AVX-512 has 32 registers (6 × 4 accumulators,
// 4 loads, 1 broadcast); AVX2 has 16 (6 × 2, 2, 1).
constexpr int kRows = 6;
constexpr int kVectors = HWY_TARGET == HWY_AVX2 ? 2 : 4;

// Activations of this many taps (AVX-512: 24 KiB) stay in the first-level cache while all rows use
// them; the sums wait in the output meanwhile.
constexpr std::int64_t kTapsInCache = 96;

// From this many rows on, the activations of a stretch of taps are first copied side by side:
// planes of 2ⁿ elements would else meet in few sets of the caches.
constexpr std::int64_t kRowsWorthPacking = 2 * kRows;

/// As many numbers as a vector holds.
template <typename T>
using Wide = hn::CappedTag<T, 64 / sizeof(T)>;

/// A stretch of taps for one group of lanes.
template <typename T>
struct Stretch {
  std::int64_t first = 0;  ///< tap
  std::int64_t last = 0;
  int lane = 0;
  const T* packed = nullptr;  ///< [tap − first][lane of the group], or null
};

template <int Rows, int Vectors, bool Packed, typename T>
void tile(const DotRows<T>& dot, const Stretch<T>& stretch, std::int64_t row) {
  const Wide<T> f;
  using Vector = hn::Vec<Wide<T> >;
  const int width = static_cast<int>(hn::Lanes(f));
  T* out = dot.out + row * dot.out_step + stretch.lane;
  const T* from_memory = out;
  if (stretch.first == 0) {
    from_memory = dot.start ? dot.start + row * dot.out_step + stretch.lane : nullptr;
  }
  Vector sum[Rows][Vectors];
  HWY_UNROLL(8)
  for (int r = 0; r < Rows; ++r) {
    const Vector bias = hn::Set(f, dot.bias ? dot.bias[row + r] : T{0});
    HWY_UNROLL(4)
    for (int v = 0; v < Vectors; ++v) {
      sum[r][v] = from_memory ? hn::LoadU(f, from_memory + r * dot.out_step + v * width) : bias;
    }
  }
  const T* weights = dot.weights + row * dot.row_step;
  const T* x = Packed ? stretch.packed : dot.x + stretch.lane;
  for (std::int64_t t = stretch.first; t < stretch.last; ++t) {
    const T* from = Packed ? x + (t - stretch.first) * (Vectors * width)
                           : x + std::int64_t{dot.element[t]} * dot.lanes;
    const T* w = weights + dot.weight[t];
    Vector in[Vectors];
    HWY_UNROLL(4)
    for (int v = 0; v < Vectors; ++v) in[v] = hn::LoadU(f, from + v * width);
    HWY_UNROLL(8)
    for (int r = 0; r < Rows; ++r) {
      const Vector factor = hn::Set(f, w[r * dot.row_step]);
      HWY_UNROLL(4)
      for (int v = 0; v < Vectors; ++v) sum[r][v] = hn::MulAdd(factor, in[v], sum[r][v]);
    }
  }
  HWY_UNROLL(8)
  for (int r = 0; r < Rows; ++r) {
    HWY_UNROLL(4)
    for (int v = 0; v < Vectors; ++v) {
      hn::StoreU(sum[r][v], f, out + r * dot.out_step + v * width);
    }
  }
}

template <int Vectors, bool Packed, typename T>
void all_rows(const DotRows<T>& dot, const Stretch<T>& stretch) {
  std::int64_t row = 0;
  for (; row + kRows <= dot.rows; row += kRows) tile<kRows, Vectors, Packed>(dot, stretch, row);
  switch (dot.rows - row) {
    case 5:
      tile<5, Vectors, Packed>(dot, stretch, row);
      break;
    case 4:
      tile<4, Vectors, Packed>(dot, stretch, row);
      break;
    case 3:
      tile<3, Vectors, Packed>(dot, stretch, row);
      break;
    case 2:
      tile<2, Vectors, Packed>(dot, stretch, row);
      break;
    case 1:
      tile<1, Vectors, Packed>(dot, stretch, row);
      break;
    default:
      break;
  }
}

/// All taps and rows for a group of Vectors vectors of lanes.
template <int Vectors, typename T>
void lane_group(const DotRows<T>& dot, int lane) {
  const Wide<T> f;
  const int width = static_cast<int>(hn::Lanes(f));
  HWY_ALIGN T packed[kTapsInCache * Vectors * 64 / sizeof(T)];
  Stretch<T> stretch{.lane = lane};
  do {
    stretch.last = std::min(stretch.first + kTapsInCache, dot.taps);
    if (dot.rows >= kRowsWorthPacking) {
      for (std::int64_t t = stretch.first; t < stretch.last; ++t) {
        const T* from = dot.x + std::int64_t{dot.element[t]} * dot.lanes + lane;
        T* to = packed + (t - stretch.first) * (Vectors * width);
        HWY_UNROLL(4)
        for (int v = 0; v < Vectors; ++v) {
          hn::StoreU(hn::LoadU(f, from + v * width), f, to + v * width);
        }
      }
      stretch.packed = packed;
      all_rows<Vectors, true>(dot, stretch);
    } else {
      all_rows<Vectors, false>(dot, stretch);
    }
    stretch.first = stretch.last;
  } while (stretch.first < dot.taps);
}

template <typename T>
void all_lanes(const DotRows<T>& dot) {
  const int width = static_cast<int>(hn::Lanes(Wide<T>()));
  int lane = 0;
  for (; lane + kVectors * width <= dot.lanes; lane += kVectors * width) {
    lane_group<kVectors>(dot, lane);
  }
  for (; lane + 2 * width <= dot.lanes; lane += 2 * width) lane_group<2>(dot, lane);
  for (; lane < dot.lanes; lane += width) lane_group<1>(dot, lane);
}

void dot_floats_here(const DotRows<float>& dot) {
  all_lanes(dot);
}

void dot_doubles_here(const DotRows<double>& dot) {
  all_lanes(dot);
}

void quantize_row_here(const QuantizeRow& row) {
  const Floats f;
  const auto width = static_cast<std::int64_t>(hn::Lanes(f));
  const Vector scale = hn::Set(f, row.scale), zero = hn::Set(f, row.zero);
  const Vector lowest = hn::Set(f, row.lowest), highest = hn::Set(f, row.highest);
  for (std::int64_t i = 0; i < row.count; i += width) {
    const Vector x = hn::LoadU(f, row.x + i);
    Vector code = hn::Div(x, scale);
    if (row.round_first) {
      code = hn::Min(hn::Max(hn::Add(hn::Round(code), zero), lowest), highest);
    } else {
      code = hn::Round(hn::Min(hn::Max(hn::Add(code, zero), lowest), highest));
    }
    code = hn::Add(hn::Sub(code, zero), hn::Zero(f));
    hn::StoreU(hn::IfThenElse(hn::Eq(x, x), code, x), f, row.out + i);
  }
}

void pick_lanes_here(const float* row, const std::int32_t* picked, int lanes, float* out) {
  const Floats f;
  const hn::RebindToSigned<Floats> places;
  const int width = static_cast<int>(hn::Lanes(f));
  for (int lane = 0; lane < lanes; lane += width) {
    hn::StoreU(hn::GatherIndex(f, row, hn::LoadU(places, picked + lane)), f, out + lane);
  }
}

double peak_here() {
  const Floats f;
  constexpr int kChains = 12;
  constexpr std::int64_t kSteps = 2'000'000;
  double best = 0;
  for (int attempt = 0; attempt < 5; ++attempt) {
    Vector sum[kChains];
    for (int i = 0; i < kChains; ++i) sum[i] = hn::Set(f, static_cast<float>(i));
    const Vector factor = hn::Set(f, 0.999f);
    const Vector term = hn::Set(f, 1e-3f);
    const auto start = std::chrono::steady_clock::now();
    for (std::int64_t step = 0; step < kSteps; ++step) {
      HWY_UNROLL(12)
      for (int i = 0; i < kChains; ++i) sum[i] = hn::MulAdd(sum[i], factor, term);
    }
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    Vector all = sum[0];
    for (int i = 1; i < kChains; ++i) all = hn::Add(all, sum[i]);
    HWY_ALIGN float sink[16];
    hn::Store(all, f, sink);
    if (std::isnan(sink[0])) return 0;
    const double flops = 2.0 * kChains * kSteps * static_cast<double>(hn::Lanes(f)) / took.count();
    best = flops > best ? flops : best;
  }
  return best;
}

#endif

const char* name_here() {
#if HWY_NATIVE_FMA
  return hwy::TargetName(HWY_TARGET);
#else
  return "portable";
#endif
}

}  // namespace flipscope::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace flipscope {

HWY_EXPORT(dot_floats_here);
HWY_EXPORT(dot_doubles_here);
HWY_EXPORT(quantize_row_here);
HWY_EXPORT(pick_lanes_here);
HWY_EXPORT(peak_here);
HWY_EXPORT(name_here);

namespace {

template <typename T>
void dot_plainly(const DotRows<T>& dot) {
  for (std::int64_t row = 0; row < dot.rows; ++row) {
    T* out = dot.out + row * dot.out_step;
    const T bias = dot.bias ? dot.bias[row] : T{0};
    for (int lane = 0; lane < dot.lanes; ++lane) {
      out[lane] = dot.start ? dot.start[row * dot.out_step + lane] : bias;
    }
    for (std::int64_t t = 0; t < dot.taps; ++t) {
      const T w = dot.weights[row * dot.row_step + dot.weight[t]];
      const T* x = dot.x + std::int64_t{dot.element[t]} * dot.lanes;
      for (int lane = 0; lane < dot.lanes; ++lane) out[lane] = std::fma(w, x[lane], out[lane]);
    }
  }
}

}  // namespace

void dot_rows(const DotRows<float>& dot) {
  HWY_DYNAMIC_DISPATCH(dot_floats_here)(dot);
}

void dot_rows(const DotRows<double>& dot) {
  HWY_DYNAMIC_DISPATCH(dot_doubles_here)(dot);
}

void dot_rows_portable(const DotRows<float>& dot) {
  dot_plainly(dot);
}

void dot_rows_portable(const DotRows<double>& dot) {
  dot_plainly(dot);
}

void quantize_row(const QuantizeRow& row) {
  HWY_DYNAMIC_DISPATCH(quantize_row_here)(row);
}

void quantize_row_portable(const QuantizeRow& row) {
  const auto clamp = [&](float x) { return std::min(std::max(x, row.lowest), row.highest); };
  for (std::int64_t i = 0; i < row.count; ++i) {
    const float x = row.x[i], scaled = x / row.scale;
    const float code = row.round_first ? clamp(round_half_even(scaled) + row.zero)
                                       : round_half_even(clamp(scaled + row.zero));
    row.out[i] = std::isnan(x) ? x : code - row.zero + 0.0f;
  }
}

void pick_lanes(const float* row, const std::int32_t* picked, int lanes, float* out) {
  HWY_DYNAMIC_DISPATCH(pick_lanes_here)(row, picked, lanes, out);
}

const char* instruction_set() {
  return HWY_DYNAMIC_DISPATCH(name_here)();
}

double measure_peak_flops() {
  return HWY_DYNAMIC_DISPATCH(peak_here)();
}

}  // namespace flipscope
#endif
