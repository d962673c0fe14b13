// The wide 3×3 convolutions of VGG-16 against the multipliers' measured peak. Goal: half of it.
#include <benchmark/benchmark.h>

#include <vector>

#include "flipscope/numeric/aligned.h"
#include "flipscope/ops/convolution.h"
#include "flipscope/ops/kernels.h"

namespace flipscope {
namespace {

double peak() {
  static const double flops = measure_peak_flops();
  return flops;
}

void Vgg3x3(benchmark::State& state) {
  const std::int64_t channels_in = state.range(0), channels = state.range(1), size = state.range(2);
  constexpr int kLanes = 64;
  const Convolution op{
      .stride = {1, 1}, .dilation = {1, 1}, .pad_begin = {1, 1}, .pad_end = {1, 1}};
  const Shape x_shape{1, channels_in, size, size}, w_shape{channels, channels_in, 3, 3},
      b_shape{channels}, y_shape{1, channels, size, size};
  AlignedVector<float> x(element_count(x_shape) * kLanes, 0.5f), w(element_count(w_shape), 0.01f),
      b(channels, 0.1f), y(element_count(y_shape) * kLanes);
  const std::vector<View<float>> inputs{
      {x.data(), &x_shape}, {w.data(), &w_shape, true}, {b.data(), &b_shape, true}};
  for (auto _ : state) {
    forward<float>(op, inputs, y_shape, y.data(), kLanes);
    benchmark::DoNotOptimize(y.data());
  }
  // Taps on padding are skipped: 3·size − 2 are left along each axis.
  const std::int64_t taps = (3 * size - 2) * (3 * size - 2);
  const double flop = 2.0 * static_cast<double>(channels_in * channels * taps) * kLanes;
  state.counters["FLOP/s"] = benchmark::Counter(flop * static_cast<double>(state.iterations()),
                                                benchmark::Counter::kIsRate);
  state.counters["of_peak"] = benchmark::Counter(
      flop * static_cast<double>(state.iterations()) / peak(), benchmark::Counter::kIsRate);
  state.SetLabel(instruction_set());
}
BENCHMARK(Vgg3x3)
    ->Args({16, 16, 32})
    ->Args({32, 32, 16})
    ->Args({64, 64, 8})
    ->Args({64, 64, 32})
    ->Args({64, 128, 16})
    ->Args({128, 128, 16})
    ->Args({256, 256, 8})
    ->Args({256, 512, 4})
    ->Args({512, 512, 4})
    ->Args({512, 512, 2})
    ->Args({128, 128, 56})
    ->Args({256, 256, 28})
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace flipscope
