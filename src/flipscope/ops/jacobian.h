// The derivative of every operator but the weighted sums (affine_derivative.h), told once: as the
// entries of its Jacobian.
//
// entries() of an operator names every pair (output element o, element e of input i) that depend on
// each other, with ∂out[o]/∂input[e] in each lane. A Jacobian turns them into a vector-Jacobian
// product (cotangents pulled back) or a Jacobian-vector product (tangents pushed forward). With
// T = Dual the entries carry their own derivatives, and pulling back gives Hessian-vector products.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <type_traits>
#include <vector>

#include "flipscope/numeric/dual.h"
#include "flipscope/ops/op.h"

namespace flipscope {

/// What entries() may read: the inputs, and the output that they gave, [element][lane].
template <typename T>
struct Point {
  std::span<const View<T>> inputs;
  const Shape* out_shape = nullptr;
  const T* output = nullptr;
  int lanes = 0;
};

template <typename T>
class Jacobian {
 public:
  /// Pulls back: to[i][e] += Σ_o entry(o, i, e)·cotangent[o], per lane; summed over the lanes where
  /// input i is a constant. Inputs whose `to` is null are passed over.
  static Jacobian backward(const Point<T>& point, const T* cotangent, std::span<T* const> to) {
    Jacobian j(point);
    j.cotangent_ = cotangent;
    j.to_ = to;
    return j;
  }
  /// Pushes forward: out[o] += Σ_{i,e} entry(o, i, e)·tangents[i][e]. A null tangent is zero; that
  /// of a constant is [element].
  static Jacobian forward(const Point<T>& point, std::span<const T* const> tangents, T* out) {
    Jacobian j(point);
    j.tangents_ = tangents;
    j.out_ = out;
    return j;
  }

  /// False where entries of this input are not needed.
  bool wants(std::size_t input) const {
    return input < point_.inputs.size() && point_.inputs[input].shape &&
           (out_ ? tangents_[input] != nullptr : to_[input] != nullptr);
  }

  /// The same number in every lane.
  void entry(std::int64_t o, std::size_t input, std::int64_t e, T coefficient) {
    const int lanes = point_.lanes;
    const bool constant = point_.inputs[input].constant;
    if (out_) {
      const T* t = tangents_[input] + e * (constant ? 1 : lanes);
      T* out = out_ + o * lanes;
      if (constant) {
        const T change = coefficient * *t;
        for (int l = 0; l < lanes; ++l) out[l] += change;
      } else {
        for (int l = 0; l < lanes; ++l) out[l] += coefficient * t[l];
      }
    } else if (constant) {
      T* to = to_[input] + e;
      const T* c = cotangent_ + o * lanes;
      for (int l = 0; l < lanes; ++l) *to += coefficient * c[l];
    } else {
      T* to = to_[input] + e * lanes;
      const T* c = cotangent_ + o * lanes;
      for (int l = 0; l < lanes; ++l) to[l] += coefficient * c[l];
    }
  }

  /// factor·coefficient[lane].
  void entry(std::int64_t o, std::size_t input, std::int64_t e, const T* coefficient,
             double factor = 1) {
    const int lanes = point_.lanes;
    const bool constant = point_.inputs[input].constant;
    if (out_) {
      const T* t = tangents_[input] + e * (constant ? 1 : lanes);
      T* out = out_ + o * lanes;
      if (constant) {
        const T scaled = factor * *t;
        for (int l = 0; l < lanes; ++l) out[l] += coefficient[l] * scaled;
      } else {
        for (int l = 0; l < lanes; ++l) out[l] += factor * coefficient[l] * t[l];
      }
    } else if (constant) {
      to_[input][e] += factor * dot(coefficient, cotangent_ + o * lanes);
    } else {
      T* to = to_[input] + e * lanes;
      const T* c = cotangent_ + o * lanes;
      for (int l = 0; l < lanes; ++l) to[l] += factor * coefficient[l] * c[l];
    }
  }

  /// factor·(element k of input `other`), as in a product of two inputs.
  void entry(std::int64_t o, std::size_t input, std::int64_t e, std::size_t other, std::int64_t k,
             double factor) {
    const View<T>& view = point_.inputs[other];
    if (view.constant) {
      entry(o, input, e, factor * view.data[k]);
    } else {
      entry(o, input, e, view.data + k * point_.lanes, factor);
    }
  }

 private:
  explicit Jacobian(const Point<T>& point) : point_(point) {}

  /// Σ over the lanes, in four sums that are added at the end: a fixed order that vectorises.
  T dot(const T* a, const T* b) const {
    constexpr int kSums = 4;
    std::array<T, kSums> sums{};
    int l = 0;
    for (; l + kSums <= point_.lanes; l += kSums) {
      for (int s = 0; s < kSums; ++s) sums[s] += a[l + s] * b[l + s];
    }
    for (; l < point_.lanes; ++l) sums[0] += a[l] * b[l];
    return (sums[0] + sums[1]) + (sums[2] + sums[3]);
  }

  Point<T> point_;
  const T* cotangent_ = nullptr;
  std::span<T* const> to_;
  std::span<const T* const> tangents_;
  T* out_ = nullptr;
};

/// A maximum's derivative is that of the element that is the maximum, the first of several.
template <typename T>
void entries(const Pooling& op, const Point<T>& at, Jacobian<T>& jacobian);
template <typename T>
void entries(const Reduce& op, const Point<T>& at, Jacobian<T>& jacobian);

/// Kinks have the derivative of one side: abs'(0) = relu'(0) = 0. Rounding (round, floor, ceil,
/// truncate) passes the derivative straight through as if it were the identity, sign does so where
/// |x| ≤ 1 (Bengio, Léonard and Courville, arXiv 1308.3432); predicates have none.
template <typename T>
void entries(const Unary& op, const Point<T>& at, Jacobian<T>& jacobian);

/// A truncated quotient passes as the quotient. Comparisons and logic have no derivative.
template <typename T>
void entries(const Binary& op, const Point<T>& at, Jacobian<T>& jacobian);
template <typename T>
void entries(const Select& op, const Point<T>& at, Jacobian<T>& jacobian);
template <typename T>
void entries(const Rearrange& op, const Point<T>& at, Jacobian<T>& jacobian);
template <typename T>
void entries(const SparseLinear& op, const Point<T>& at, Jacobian<T>& jacobian);
template <typename T>
void entries(const ArgReduce& op, const Point<T>& at, Jacobian<T>& jacobian);

/// A hardmax has no derivative.
template <typename T>
void entries(const Softmax& op, const Point<T>& at, Jacobian<T>& jacobian);
template <typename T>
void entries(const BatchNormalization& op, const Point<T>& at, Jacobian<T>& jacobian);
template <typename T>
void entries(const Standardize& op, const Point<T>& at, Jacobian<T>& jacobian);
template <typename T>
void entries(const LocalResponse& op, const Point<T>& at, Jacobian<T>& jacobian);

/// Straight through, with the offsets of rounding frozen: ∂code/∂x = 1/scale where the quantizer
/// does not clip, else 0. It does not clip where x/scale + zero_point ≤ highest and ≥ lowest
/// (> lowest if unsigned, so that an unsigned quantizer is a relu whose derivative at 0 is 0).
/// Bipolar: where |x| ≤ 1. Floats and powers of two clip nowhere.
template <typename T>
void entries(const Quantize& op, const Point<T>& at, Jacobian<T>& jacobian);
template <typename T>
void entries(const Dequantize& op, const Point<T>& at, Jacobian<T>& jacobian);

}  // namespace flipscope
