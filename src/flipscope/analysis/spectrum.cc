#include "flipscope/analysis/spectrum.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "flipscope/numeric/random.h"

namespace flipscope {
namespace {

using Vector = std::vector<double>;

constexpr std::uint64_t kStartStream = 0x6c616e637a6f73;
constexpr std::uint64_t kProbeStream = 0x70726f6265;

double dot(std::span<const double> a, std::span<const double> b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

void add(Vector& to, double factor, std::span<const double> v) {
  for (std::size_t i = 0; i < to.size(); ++i) to[i] += factor * v[i];
}

/// Brings a vector to length 1 and returns the length it had.
double normalize(Vector& v) {
  const double length = std::sqrt(dot(v, v));
  for (double& x : v) x /= length;
  return length;
}

Vector random_vector(std::int64_t n, Random& random) {
  Vector v(n);
  for (double& x : v) x = random.normal();
  return v;
}

/// Zeroes matrix(p, q) by a rotation of rows and columns p and q.
void rotate(Vector& matrix, Vector& vectors, std::int64_t n, std::int64_t p, std::int64_t q) {
  const double off = matrix[p * n + q];
  if (off == 0) return;
  const double half = (matrix[q * n + q] - matrix[p * n + p]) / (2 * off);
  const double t = (half >= 0 ? 1 : -1) / (std::fabs(half) + std::sqrt(half * half + 1));
  const double c = 1 / std::sqrt(t * t + 1), s = t * c;
  for (std::int64_t k = 0; k < n; ++k) {
    const double a = matrix[k * n + p], b = matrix[k * n + q];
    matrix[k * n + p] = c * a - s * b;
    matrix[k * n + q] = s * a + c * b;
  }
  for (std::int64_t k = 0; k < n; ++k) {
    const double a = matrix[p * n + k], b = matrix[q * n + k];
    matrix[p * n + k] = c * a - s * b;
    matrix[q * n + k] = s * a + c * b;
    const double v = vectors[p * n + k], w = vectors[q * n + k];
    vectors[p * n + k] = c * v - s * w;
    vectors[q * n + k] = s * v + c * w;
  }
}

/// An orthonormal basis that grows by A times its last vector.
class Lanczos {
 public:
  Lanczos(std::int64_t n, const Product& product, std::uint64_t seed)
      : n_(n), product_(product), random_(seed, kStartStream) {
    basis_.push_back(random_vector(n, random_));
    normalize(basis_.back());
  }

  /// Grows the basis to `size` vectors whose projection is known, and one more: the direction in
  /// which A leaves their span.
  void grow(std::int64_t size) {
    Vector enlarged(size * size, 0.0);
    for (std::int64_t i = 0; i < known_; ++i) {
      for (std::int64_t k = 0; k < known_; ++k) enlarged[i * size + k] = at(i, k);
    }
    projection_ = std::move(enlarged);
    stride_ = size;
    while (known_ < size) extend();
  }

  /// Eigenpairs of the projection; their residuals are those of the vectors they stand for.
  std::vector<Eigenpair> ritz_pairs() const {
    Vector square(known_ * known_);
    for (std::int64_t i = 0; i < known_; ++i) {
      for (std::int64_t k = 0; k < known_; ++k) square[i * known_ + k] = at(i, k);
    }
    std::vector<Eigenpair> pairs = eigenpairs_of(std::move(square), known_);
    for (Eigenpair& pair : pairs) pair.residual = std::fabs(leaving_ * pair.vector.back());
    return pairs;
  }

  Vector in_full(const Vector& coordinates) const {
    Vector v(n_, 0.0);
    for (std::size_t i = 0; i < coordinates.size(); ++i) add(v, coordinates[i], basis_[i]);
    return v;
  }

  /// Keeps the span of these pairs and the direction that leaves it.
  void restart(std::span<const Eigenpair> pairs) {
    std::vector<Vector> kept;
    for (const Eigenpair& pair : pairs) kept.push_back(in_full(pair.vector));
    kept.push_back(std::move(basis_.back()));
    basis_ = std::move(kept);
    known_ = stride_ = std::ssize(pairs);
    projection_.assign(known_ * known_, 0.0);
    for (std::int64_t i = 0; i < known_; ++i) projection_[i * known_ + i] = pairs[i].value;
  }

 private:
  double at(std::int64_t i, std::int64_t k) const { return projection_[i * stride_ + k]; }

  void extend() {
    const std::int64_t last = known_++;
    Vector next = product_(basis_[last]);
    const double before = std::sqrt(dot(next, next));
    for (int pass = 0; pass < 2; ++pass) {
      for (std::int64_t i = 0; i <= last; ++i) {
        const double c = dot(basis_[i], next);
        add(next, -c, basis_[i]);
        projection_[i * stride_ + last] += c;
      }
    }
    for (std::int64_t i = 0; i < last; ++i) {
      projection_[last * stride_ + i] = projection_[i * stride_ + last];
    }
    leaving_ = std::sqrt(dot(next, next));
    constexpr double kRounding = 1e-14;
    if (known_ == n_ || leaving_ <= kRounding * before) {
      leaving_ = 0;  // the span is invariant: go on in any other direction
      next = random_vector(n_, random_);
      for (int pass = 0; pass < 2 && known_ < n_; ++pass) {
        for (const Vector& v : basis_) add(next, -dot(v, next), v);
      }
    }
    normalize(next);
    basis_.push_back(std::move(next));
  }

  std::int64_t n_;
  const Product& product_;
  Random random_;
  std::vector<Vector> basis_;
  std::int64_t known_ = 0, stride_ = 0;
  Vector projection_;  ///< basisᵀ·A·basis, known_ rows and columns of stride_
  double leaving_ = 0;
};

}  // namespace

std::vector<Eigenpair> eigenpairs_of(Vector matrix, std::int64_t n) {
  Vector vectors(n * n, 0.0);  // eigenvectors as rows
  for (std::int64_t i = 0; i < n; ++i) vectors[i * n + i] = 1;
  constexpr int kSweeps = 60;
  for (int sweep = 0; sweep < kSweeps; ++sweep) {
    double off = 0, all = 0;
    for (std::int64_t p = 0; p < n; ++p) {
      for (std::int64_t q = 0; q < n; ++q) {
        const double square = matrix[p * n + q] * matrix[p * n + q];
        all += square;
        off += p == q ? 0 : square;
      }
    }
    if (off <= 1e-32 * all) break;
    for (std::int64_t p = 0; p < n; ++p) {
      for (std::int64_t q = p + 1; q < n; ++q) rotate(matrix, vectors, n, p, q);
    }
  }
  std::vector<Eigenpair> pairs;
  for (std::int64_t i = 0; i < n; ++i) {
    const auto row = vectors.begin() + i * n;
    pairs.push_back({matrix[i * n + i], Vector(row, row + n), 0});
  }
  std::stable_sort(pairs.begin(), pairs.end(), [](const Eigenpair& a, const Eigenpair& b) {
    return std::fabs(a.value) > std::fabs(b.value);
  });
  return pairs;
}

std::vector<Eigenpair> largest_eigenpairs(std::int64_t n, const Product& product,
                                          const LanczosOptions& options) {
  const std::int64_t count = std::min<std::int64_t>(options.count, n);
  if (count == 0) return {};
  constexpr std::int64_t kSpare = 24;
  const std::int64_t size = std::min(n, 2 * count + kSpare);
  Lanczos lanczos(n, product, options.seed);
  std::vector<Eigenpair> pairs;
  for (int restart = 0;; ++restart) {
    lanczos.grow(size);
    pairs = lanczos.ritz_pairs();
    const double allowed = options.tolerance * std::fabs(pairs[0].value);
    const bool done = std::all_of(pairs.begin(), pairs.begin() + count,
                                  [&](const Eigenpair& pair) { return pair.residual <= allowed; });
    if (done || restart == options.restarts) break;
    lanczos.restart(std::span(pairs).first(count + (size - count) / 2));
  }
  pairs.resize(count);
  for (Eigenpair& pair : pairs) {
    pair.vector = lanczos.in_full(pair.vector);
    Vector image = product(pair.vector);
    add(image, -pair.value, pair.vector);
    pair.residual = std::sqrt(dot(image, image));
  }
  return pairs;
}

std::vector<Eigenpair> blockwise_power_iteration(std::span<const std::int64_t> first,
                                                 const Product& product, int count, int iterations,
                                                 double tolerance, std::uint64_t seed) {
  const std::int64_t n = first.back();
  Random random(seed, kStartStream);
  std::vector<Eigenpair> pairs;
  for (int k = 0; k < std::min<std::int64_t>(count, n); ++k) {
    Vector v = random_vector(n, random);
    Eigenpair pair;
    for (int i = 0; i < iterations; ++i) {
      for (const Eigenpair& before : pairs) {
        for (std::size_t b = 0; b + 1 < first.size(); ++b) {
          const std::int64_t from = first[b], length = first[b + 1] - from;
          const std::span<const double> other = std::span(before.vector).subspan(from, length);
          const double share = dot(std::span<const double>(v).subspan(from, length), other);
          for (std::int64_t e = 0; e < length; ++e) v[from + e] -= share * other[e];
        }
      }
      normalize(v);
      Vector image = product(v);
      const double value = dot(image, v);
      const double change = std::fabs(value - pair.value);
      const bool settled = i > 0 && change < tolerance * std::fabs(pair.value);
      pair.value = value;
      pair.vector = v;
      v = std::move(image);
      if (settled) break;
    }
    add(v, -pair.value, pair.vector);
    pair.residual = std::sqrt(dot(v, v));
    pairs.push_back(std::move(pair));
  }
  return pairs;
}

DiagonalEstimate estimate_diagonal(std::span<const std::int64_t> first, const Product& product,
                                   std::int64_t probes, std::span<const Eigenpair> known,
                                   std::uint64_t seed) {
  const std::int64_t n = first.back();
  const std::size_t blocks = first.size();  // the stretches, and the whole
  DiagonalEstimate estimate;
  estimate.exact = n <= probes;
  estimate.products = std::min(n, probes);
  estimate.diagonal.assign(n, 0.0);
  if (estimate.exact) {
    for (std::int64_t i = 0; i < n; ++i) {
      Vector unit(n, 0.0);
      unit[i] = 1;
      estimate.diagonal[i] = product(unit)[i];
    }
    known = {};
  }
  Vector sums(blocks, 0.0), squares(blocks, 0.0);
  Random random(seed, kProbeStream);
  for (std::int64_t k = 0; !estimate.exact && k < probes; ++k) {
    Vector z(n);
    for (double& x : z) x = random.below(2) == 0 ? -1 : 1;
    Vector image = product(z);
    for (const Eigenpair& pair : known) add(image, -pair.value * dot(pair.vector, z), pair.vector);
    for (std::int64_t i = 0; i < n; ++i) image[i] *= z[i];
    add(estimate.diagonal, 1.0 / static_cast<double>(probes), image);
    double whole = 0;
    for (std::size_t b = 0; b < blocks; ++b) {
      const bool last = b + 1 == blocks;
      const double part =
          last ? whole
               : std::accumulate(image.begin() + first[b], image.begin() + first[b + 1], 0.0);
      whole += part;
      sums[b] += part;
      squares[b] += part * part;
    }
  }
  for (const Eigenpair& pair : known) {
    for (std::int64_t i = 0; i < n; ++i) {
      estimate.diagonal[i] += pair.value * pair.vector[i] * pair.vector[i];
    }
  }
  const auto count = static_cast<double>(probes);
  for (std::size_t b = 0; b < blocks; ++b) {
    const bool last = b + 1 == blocks;
    const auto begin = estimate.diagonal.begin() + (last ? 0 : first[b]);
    const auto end = estimate.diagonal.begin() + (last ? n : first[b + 1]);
    TraceEstimate trace{std::accumulate(begin, end, 0.0), 0};
    if (!estimate.exact) {
      const double spread = std::max(0.0, squares[b] - sums[b] * sums[b] / count);
      trace.standard_error = std::sqrt(spread / (count - 1) / count);  // of one probe: NaN
    }
    estimate.blocks.push_back(trace);
  }
  return estimate;
}

}  // namespace flipscope
