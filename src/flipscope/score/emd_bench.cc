// Goal: 48 cells in less than 10 microseconds from a cold start, and in less than 1 where the last
// distribution was a near one.
#include <benchmark/benchmark.h>

#include <cmath>
#include <random>

#include "flipscope/score/emd.h"

namespace flipscope {
namespace {

using Cells = std::vector<double>;

/// Cells of a square grid, three quarters full.
GroundDistance grid(int side) {
  const int n = side * side * 3 / 4;
  Cells costs;
  for (int i = 0; i < n; ++i) {
    for (int j = 0; j < n; ++j) {
      costs.push_back(std::hypot(i / side - j / side, i % side - j % side));
    }
  }
  return GroundDistance("grid", n, costs);
}

/// Outputs of a decoder whose code goes up step by step: q_i = exp(a_i + b_i·code).
std::vector<Cells> walk(int cells, int steps, double step, std::mt19937_64& random) {
  std::normal_distribution<double> normal;
  Cells a(static_cast<std::size_t>(cells)), b(a.size());
  for (double& x : a) x = 2 * normal(random);
  for (double& x : b) x = step * normal(random);
  std::vector<Cells> walk(static_cast<std::size_t>(steps), a);
  for (std::size_t k = 0; k < walk.size(); ++k) {
    for (std::size_t i = 0; i < a.size(); ++i) {
      walk[k][i] = std::exp(a[i] + b[i] * static_cast<double>(k));
    }
  }
  return walk;
}

Cells sparse(int cells, int occupied, std::mt19937_64& random) {
  Cells p(static_cast<std::size_t>(cells));
  for (int k = 0; k < occupied; ++k)
    p[random() % p.size()] += static_cast<double>(1 + random() % 9);
  return p;
}

void count_pivots(benchmark::State& state, double pivots) {
  state.counters["pivots"] = pivots / static_cast<double>(state.iterations());
}

/// Arguments of all: the grid's side, cells with mass in p. Another p for each solve.
void emd_cold(benchmark::State& state) {
  std::mt19937_64 random(1);
  const GroundDistance cost = grid(static_cast<int>(state.range(0)));
  EmdSolver emd(cost);
  const std::vector<Cells> q = walk(cost.cells(), 64, 0.05, random);
  std::vector<Cells> p;
  for (int k = 0; k < 63; ++k) {
    p.push_back(sparse(cost.cells(), static_cast<int>(state.range(1)), random));
  }
  std::size_t k = 0;
  double pivots = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(emd(p[k % 63].data(), q[k % 64].data()));
    pivots += emd.pivots();
    ++k;
  }
  count_pivots(state, pivots);
}
BENCHMARK(emd_cold)->Args({8, 48})->Args({8, 18})->Args({8, 3})->Args({16, 192});

/// One p; every second q is the golden one, and the time of those solves counts too.
void emd_golden_basis(benchmark::State& state) {
  std::mt19937_64 random(2);
  const GroundDistance cost = grid(static_cast<int>(state.range(0)));
  EmdSolver emd(cost);
  const Cells p = sparse(cost.cells(), static_cast<int>(state.range(1)), random);
  const std::vector<Cells> q = walk(cost.cells(), 64, 0.05, random);
  std::size_t k = 0;
  double pivots = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(emd(p.data(), q[k % 2 == 0 ? 0 : 1 + k % 63].data()));
    pivots += emd.pivots();
    ++k;
  }
  count_pivots(state, pivots);
}
BENCHMARK(emd_golden_basis)->Args({8, 48})->Args({8, 18})->Args({8, 3});

/// One p, and each q a step from the last.
void emd_neighbours(benchmark::State& state) {
  std::mt19937_64 random(3);
  const GroundDistance cost = grid(static_cast<int>(state.range(0)));
  EmdSolver emd(cost);
  const Cells p = sparse(cost.cells(), static_cast<int>(state.range(1)), random);
  const std::vector<Cells> q = walk(cost.cells(), 512, 0.005, random);
  std::size_t k = 0;
  double pivots = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(emd(p.data(), q[k % 512].data()));
    pivots += emd.pivots();
    ++k;
  }
  count_pivots(state, pivots);
}
BENCHMARK(emd_neighbours)->Args({8, 48})->Args({8, 18})->Args({8, 3});

}  // namespace
}  // namespace flipscope
