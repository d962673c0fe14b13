// Convolution and transposed convolution over any number of spatial axes.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "flipscope/ops/op.h"

namespace flipscope {

Shape output_shape(const Convolution& op, std::span<const Shape> inputs);
Shape output_shape(const TransposedConvolution& op, std::span<const Shape> inputs);

template <typename T>
void forward(const Convolution& op, std::span<const View<T>> inputs, const Shape& out_shape, T* out,
             int lanes);
template <typename T>
void forward(const TransposedConvolution& op, std::span<const View<T>> inputs,
             const Shape& out_shape, T* out, int lanes);

/// Only the output channels [first, last) of every batch element; the rest of `out` is left alone.
template <typename T>
void forward_channels(const Convolution& op, std::span<const View<T>> inputs,
                      const Shape& out_shape, T* out, int lanes, std::int64_t first,
                      std::int64_t last);
template <typename T>
void forward_channels(const TransposedConvolution& op, std::span<const View<T>> inputs,
                      const Shape& out_shape, T* out, int lanes, std::int64_t first,
                      std::int64_t last);

}  // namespace flipscope
