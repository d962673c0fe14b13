// The spectrum of a symmetric operator that is known by its products with vectors alone.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace flipscope {

/// A symmetric operator: v → A·v.
using Product = std::function<std::vector<double>(std::span<const double>)>;

struct Eigenpair {
  double value = 0;
  std::vector<double> vector;  ///< of length 1
  double residual = 0;         ///< ‖A·vector − value·vector‖
};

/// A dense symmetric matrix [row·n + column] by Jacobi rotations: all eigenpairs, the largest
/// |value| first. The order of operations is fixed, so results have the same bits everywhere.
std::vector<Eigenpair> eigenpairs_of(std::vector<double> matrix, std::int64_t n);

struct LanczosOptions {
  int count = 8;
  double tolerance = 1e-8;  ///< largest residual, as a share of the largest |value|
  int restarts = 200;       ///< at most
  std::uint64_t seed = 0;
};

/// The `count` eigenpairs of largest |value|, largest first, by Lanczos iteration with full
/// reorthogonalization and thick restarts (Wu and Simon, SIAM J. Matrix Anal. Appl. 22, 2000).
/// Fewer where n is smaller. Residuals are measured, not estimated. Memory: 2·count + 24 vectors.
std::vector<Eigenpair> largest_eigenpairs(std::int64_t n, const Product& product,
                                          const LanczosOptions& options);

/// Power iteration as FKeras's code does it (Weng et al., ACM JATS 2024): each pair after the first
/// is made orthogonal to those before *within each of the stretches* that begin at `first` (whose
/// last entry is n), so that only the first pair is an eigenpair of A. At most `iterations` per
/// pair, until the value's relative change falls below `tolerance`.
std::vector<Eigenpair> blockwise_power_iteration(std::span<const std::int64_t> first,
                                                 const Product& product, int count, int iterations,
                                                 double tolerance, std::uint64_t seed);

/// Traces of diagonal blocks, and the diagonal, by Hutchinson's probes (Comm. Stat. Simul. 19,
/// 1990; Bekas, Kokiopoulou and Saad, Appl. Numer. Math. 57, 2007).
struct TraceEstimate {
  double trace = 0;
  double standard_error = 0;  ///< NaN where there was but one probe
};
struct DiagonalEstimate {
  std::vector<TraceEstimate> blocks;  ///< [stretch], and the whole last
  std::vector<double> diagonal;
  std::int64_t products = 0;
  bool exact = false;  ///< unit vectors took the place of random ones
};

/// Rademacher probes z: the mean of z∘A·z. Known eigenpairs are taken out first and added exactly
/// (as in Hutch++, Meyer et al., SOSA 2021), which lowers the variance. Where n ≤ probes the unit
/// vectors are cheaper, and the result exact. Stretches begin at `first`, whose last entry is n.
DiagonalEstimate estimate_diagonal(std::span<const std::int64_t> first, const Product& product,
                                   std::int64_t probes, std::span<const Eigenpair> known,
                                   std::uint64_t seed);

}  // namespace flipscope
