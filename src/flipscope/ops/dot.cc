#include "flipscope/ops/dot.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <type_traits>

#include "flipscope/ops/kernels.h"

namespace flipscope {
namespace {

template <typename T>
void rescale(const Dot<T>& d, std::int64_t row, const double* sum, T* out, int lanes) {
  const std::vector<double>& scale = d.accumulation->rescale;
  const double factor = scale.size() == 1 ? scale[0] : scale[d.channel + row];
  for (int lane = 0; lane < lanes; ++lane) out[lane] = static_cast<T>(sum[lane] * factor);
}

/// A constant's element in double: exact where the operator keeps the wide form.
template <typename T>
double element(const View<T>& view, std::int64_t i) {
  return view.wide ? view.wide[i] : static_cast<double>(view.data[i]);
}

/// Any operands, any number of lanes, sums of type S.
template <typename S, typename T>
void dot_general(const Dot<T>& d) {
  constexpr int kGroup = 64;
  std::array<S, kGroup> sum;
  std::array<double, kGroup> wide;
  for (int first = 0; first < d.lanes; first += kGroup) {
    const int lanes = std::min(kGroup, d.lanes - first);
    for (std::int64_t row = 0; row < d.rows; ++row) {
      sum.fill(S{0});
      if (d.start) {
        const T* start = d.start + row * d.out_step + first;
        for (int l = 0; l < lanes; ++l) sum[l] = static_cast<S>(start[l]);
      }
      if (d.bias.shape) {
        const std::int64_t i = d.bias_first + row * d.bias_step;
        for (int l = 0; l < lanes; ++l) {
          sum[l] = d.bias.constant ? static_cast<S>(element(d.bias, i))
                                   : static_cast<S>(d.bias.data[i * d.lanes + first + l]);
        }
      }
      for (std::size_t t = 0; t < d.taps->element.size(); ++t) {
        const std::int64_t e = d.x_first + d.taps->element[t];
        const std::int64_t k = d.w_first + row * d.row_step + d.taps->weight[t];
        if (d.w.constant && !d.x.constant) {
          const S w = static_cast<S>(element(d.w, k));
          const T* x = d.x.data + e * d.lanes + first;
          for (int l = 0; l < lanes; ++l) sum[l] = std::fma(w, static_cast<S>(x[l]), sum[l]);
        } else {
          for (int l = 0; l < lanes; ++l) {
            const S x = d.x.constant ? static_cast<S>(element(d.x, e))
                                     : static_cast<S>(d.x.data[e * d.lanes + first + l]);
            const S w = d.w.constant ? static_cast<S>(element(d.w, k))
                                     : static_cast<S>(d.w.data[k * d.lanes + first + l]);
            sum[l] = std::fma(w, x, sum[l]);
          }
        }
      }
      T* out = d.out + row * d.out_step + first;
      if (d.accumulation->rescale.empty()) {
        for (int l = 0; l < lanes; ++l) out[l] = static_cast<T>(sum[l]);
      } else {
        for (int l = 0; l < lanes; ++l) wide[l] = static_cast<double>(sum[l]);
        rescale(d, row, wide.data(), out, lanes);
      }
    }
  }
}

template <typename T>
void dot_fast(const Dot<T>& d) {
  dot_rows(DotRows<T>{.x = d.x.data + d.x_first * d.lanes,
                      .element = d.taps->element.data(),
                      .weights = d.w.data + d.w_first,
                      .weight = d.taps->weight.data(),
                      .row_step = d.row_step,
                      .taps = static_cast<std::int64_t>(d.taps->element.size()),
                      .bias = d.bias.shape ? d.bias.data + d.bias_first : nullptr,
                      .start = d.start,
                      .rows = d.rows,
                      .out = d.out,
                      .out_step = d.out_step,
                      .lanes = d.lanes});
  const std::vector<double>& scale = d.accumulation->rescale;
  if (scale.empty()) return;
  for (std::int64_t row = 0; row < d.rows; ++row) {
    T* out = d.out + row * d.out_step;
    const double factor = scale[scale.size() == 1 ? 0 : d.channel + row];
    if constexpr (std::is_same_v<T, float>) {
      rescale_row(factor, out, d.lanes, out);
    } else {
      for (int lane = 0; lane < d.lanes; ++lane) out[lane] *= factor;
    }
  }
}

}  // namespace

template <typename T>
void dot(const Dot<T>& d) {
  const bool bias_fits = !d.bias.shape || (d.bias.constant && d.bias_step == 1);
  if (std::is_same_v<T, float> && d.accumulation->carrier == Carrier::float64) {
    dot_general<double>(d);
  } else if (d.w.constant && !d.x.constant && bias_fits && d.lanes % kLaneGroup == 0) {
    dot_fast(d);
  } else {
    dot_general<T>(d);
  }
}

void dot_partial_sums(const Dot<float>& d) {
  for (std::int64_t row = 0; row < d.rows; ++row) {
    const float* const weights = d.w.data + d.w_first + row * d.row_step;
    const float bias = d.bias.shape ? d.bias.data[d.bias_first + row * d.bias_step] : 0.0f;
    for (int lane = 0; lane < d.lanes; lane += kLaneGroup) {
      std::array<float, kLaneGroup> sum, sizes;  // in registers
      sum.fill(bias);
      sizes.fill(0);
      for (std::size_t t = 0; t < d.taps->element.size(); ++t) {
        const float w = weights[d.taps->weight[t]];
        const float* const x = d.x.data + (d.x_first + d.taps->element[t]) * d.lanes + lane;
        for (int l = 0; l < kLaneGroup; ++l) {
          sum[l] += w * x[l];
          sizes[l] += std::fabs(sum[l]);
        }
      }
      std::ranges::copy(sizes, d.out + row * d.out_step + lane);
    }
  }
}

const Accumulation* accumulation(const Op& op) {
  return std::visit(
      [](const auto& o) -> const Accumulation* {
        if constexpr (requires { o.accumulation; }) {
          return &o.accumulation;
        } else {
          return nullptr;
        }
      },
      op);
}

bool adds_exactly(const Op& op) {
  const Accumulation* sum = accumulation(op);
  return sum && !sum->rescale.empty() && sum->carrier == Carrier::float32;
}

void rescale_row(double factor, const float* sums, std::int64_t count, float* out) {
  const auto narrow = static_cast<float>(factor);
  if (narrow == factor) {
    // The product of two float32 numbers is exact in double: both ways round once.
    for (std::int64_t i = 0; i < count; ++i) out[i] = sums[i] * narrow;
  } else {
    for (std::int64_t i = 0; i < count; ++i) out[i] = static_cast<float>(sums[i] * factor);
  }
}

template void dot<float>(const Dot<float>&);
template void dot<double>(const Dot<double>&);

}  // namespace flipscope
