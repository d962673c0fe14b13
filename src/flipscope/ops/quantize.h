// Real numbers to codes and back.
#pragma once

#include "flipscope/ops/op.h"

namespace flipscope {

/// The shape of the one input. Throws Error where scales or zero points are neither one nor one
/// per index of the axis.
Shape output_shape(const Quantize& op, std::span<const Shape> inputs);
Shape output_shape(const Dequantize& op, std::span<const Shape> inputs);

/// Centered codes. NaN stays NaN, and a code of zero is always +0. The arithmetic before the
/// rounding is that of T, with scale and zero point rounded to T.
template <typename T>
void forward(const Quantize& op, std::span<const View<T>> inputs, const Shape& out_shape, T* out,
             int lanes);

template <typename T>
void forward(const Dequantize& op, std::span<const View<T>> inputs, const Shape& out_shape, T* out,
             int lanes);

}  // namespace flipscope
