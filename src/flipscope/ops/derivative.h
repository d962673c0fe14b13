// Derivatives of operators in one direction: vector-Jacobian and Jacobian-vector products.
#pragma once

#include <span>

#include "flipscope/numeric/dual.h"
#include "flipscope/ops/op.h"

namespace flipscope {

/// Cotangents of the inputs: to[i][e] += Σ_o ∂out[o]/∂inputs[i][e]·cotangent[o], [element][lane]
/// for a runtime value, [element] and summed over the lanes for a constant. Inputs whose `to` is
/// null are passed over. `output` is what forward() gave. T = double, or Dual, whose tangents are
/// then those of the cotangents. What has no derivative passes straight through or not at all: see
/// ops/jacobian.h.
template <typename T>
void vjp(const Op& op, std::span<const View<T>> inputs, const Shape& out_shape, const T* output,
         const T* cotangent, std::span<T* const> to, int lanes);

/// Tangent of the output, [element][lane]: out[o] = Σ_{i,e} ∂out[o]/∂inputs[i][e]·tangents[i][e]. A
/// null tangent is zero; that of a constant is [element].
void jvp(const Op& op, std::span<const View<double>> inputs, const Shape& out_shape,
         const double* output, std::span<const double* const> tangents, double* out, int lanes);

}  // namespace flipscope
