// Weighted sums and their derivatives, in double: convolutions and matrix products.
//
//   y[o] = s·(β + Σ_t b[k_t]·a[e_t])   gives   ∂y/∂a[e_t] = s·b[k_t], ∂y/∂b[k_t] = s·a[e_t], ∂y/∂β
//   = s
//
// with s the operator's rescale (1 for float layers).
#pragma once

#include <span>

#include "flipscope/numeric/dual.h"
#include "flipscope/ops/op.h"

namespace flipscope {

/// As jvp() and vjp() of derivative.h; Op is one of the affine kinds.
template <typename Op>
void affine_jvp(const Op& op, std::span<const View<double>> inputs, const Shape& out_shape,
                std::span<const double* const> tangents, double* out, int lanes);
template <typename Op, typename T>
void affine_vjp(const Op& op, std::span<const View<T>> inputs, const Shape& out_shape,
                const T* cotangent, std::span<T* const> to, int lanes);

}  // namespace flipscope
