// Goal: 48 cells in less than 50 microseconds from a cold start: about a microsecond a pivot.
#include <benchmark/benchmark.h>

#include <cmath>
#include <random>

#include "flipscope/score/emd.h"

namespace flipscope {
namespace {

/// Dense masses, or (every second distribution) sparse ones, on a square grid of cells.
void emd_cold(benchmark::State& state) {
  std::mt19937_64 random(1);
  const int side = static_cast<int>(state.range(0));
  const int n = side * side * 3 / 4;
  std::vector<double> costs;
  for (int i = 0; i < n; ++i) {
    for (int j = 0; j < n; ++j) {
      costs.push_back(std::hypot(i / side - j / side, i % side - j % side));
    }
  }
  const GroundDistance cost("grid", n, costs);
  EmdSolver emd(cost);
  std::vector<std::vector<double>> masses(64, std::vector<double>(static_cast<std::size_t>(n)));
  for (std::size_t k = 0; k < masses.size(); ++k) {
    for (double& x : masses[k]) {
      x = k % 2 == 1 && random() % 2 == 0 ? 0 : static_cast<double>(1 + random() % 1000);
    }
  }
  std::size_t k = 0;
  double pivots = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(emd(masses[k % 64].data(), masses[(k + 1) % 64].data()));
    pivots += emd.pivots();
    ++k;
  }
  state.counters["pivots"] = pivots / static_cast<double>(k);
}
BENCHMARK(emd_cold)->Arg(8)->Arg(16);

}  // namespace
}  // namespace flipscope
