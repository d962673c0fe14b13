// Normalization: by stored statistics per channel, by each sample's own statistics, and by the
// neighbouring channels.
#pragma once

#include "flipscope/ops/op.h"

namespace flipscope {

/// The shape of x. Throws Error where the parameters are not one per channel, or an axis is
/// outside.
Shape output_shape(const BatchNormalization& op, std::span<const Shape> inputs);
Shape output_shape(const Standardize& op, std::span<const Shape> inputs);
Shape output_shape(const LocalResponse& op, std::span<const Shape> inputs);

/// fma(x − mean, scale/sqrt(variance + epsilon), bias). For float every step rounds to float32.
template <typename T>
void forward(const BatchNormalization& op, std::span<const View<T>> inputs, const Shape& out_shape,
             T* out, int lanes);

/// mean = Σx/n, then variance = Σ(x − mean)²/n with fused terms, both in C order of the elements.
template <typename T>
void forward(const Standardize& op, std::span<const View<T>> inputs, const Shape& out_shape, T* out,
             int lanes);

/// x/(bias + alpha/size·Σx²)^beta over the channels c − ⌊(size−1)/2⌋ … c + ⌈(size−1)/2⌉.
template <typename T>
void forward(const LocalResponse& op, std::span<const View<T>> inputs, const Shape& out_shape,
             T* out, int lanes);

}  // namespace flipscope
