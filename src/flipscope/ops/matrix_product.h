// Matrix product with broadcast batch axes and an optional addend.
#pragma once

#include <cstdint>
#include <span>

#include "flipscope/ops/op.h"

namespace flipscope {

Shape output_shape(const MatrixProduct& op, std::span<const Shape> inputs);

template <typename T>
void forward(const MatrixProduct& op, std::span<const View<T>> inputs, const Shape& out_shape,
             T* out, int lanes);

/// Only the output columns [first, last) (the last axis of the output).
template <typename T>
void forward_channels(const MatrixProduct& op, std::span<const View<T>> inputs,
                      const Shape& out_shape, T* out, int lanes, std::int64_t first,
                      std::int64_t last);

/// Σₖ |sₖ| of each output element (dot_partial_sums()), for constant weights and addend.
void partial_sums(const MatrixProduct& op, std::span<const View<float>> inputs,
                  const Shape& out_shape, float* out, int lanes);

/// out [N][lane] = start + Σ w[k,n]·change[i] over the changed inputs k = elements[i] of a product
/// of one row, [1,K] times w [K,N]: the bits of a recomputation where all sums are exact. No
/// rescale.
void add_change(const View<float>& w, std::span<const std::int64_t> elements, const float* change,
                const float* start, float* out, int lanes);

}  // namespace flipscope
