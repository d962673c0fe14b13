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

/// Only these output positions (places in the plane) of every channel, for a batch of one.
void forward_positions(const Convolution& op, std::span<const View<float>> inputs,
                       const Shape& out_shape, float* out, int lanes,
                       std::span<const std::int32_t> positions);

/// Only channel `channel` of every batch element at one output position.
void forward_element(const Convolution& op, std::span<const View<float>> inputs,
                     const Shape& out_shape, float* out, int lanes, std::int64_t channel,
                     std::int64_t position);
void forward_element(const TransposedConvolution& op, std::span<const View<float>> inputs,
                     const Shape& out_shape, float* out, int lanes, std::int64_t channel,
                     std::int64_t position);

/// Σₖ |sₖ| of each output element (dot_partial_sums()), for constant weights and bias.
void partial_sums(const Convolution& op, std::span<const View<float>> inputs,
                  const Shape& out_shape, float* out, int lanes);

/// Output positions that read any of these places of the input's planes, ascending.
std::vector<std::int32_t> affected_positions(const Convolution& op, const Shape& x_shape,
                                             const Shape& w_shape, const Shape& out_shape,
                                             std::span<const std::int32_t> places);

/// Places of the input's planes that these output positions read, ascending.
std::vector<std::int32_t> places_read(const Convolution& op, const Shape& x_shape,
                                      const Shape& w_shape, const Shape& out_shape,
                                      std::span<const std::int32_t> positions);

/// Where each tap of the kernel reads the plane of its channel, [tap][output position], C order; −1
/// where it falls on padding.
std::vector<std::int32_t> tap_positions(const Convolution& op, const Shape& x_shape,
                                        const Shape& w_shape, const Shape& out_shape);

/// Adds the effect of changed input channels to sums: out = start + Σ w·change over the given input
/// channels (ascending), where change [channel][plane][lane] holds new minus old. `start` and `out`
/// are [M][plane][lane] of a batch of one. One group; the result has the bits of a recomputation
/// where all sums are exact, and no rescale is applied.
void add_change(const Convolution& op, const Shape& x_shape, const View<float>& w,
                const Shape& out_shape, std::span<const std::int64_t> channels, const float* change,
                const float* start, float* out, int lanes);

/// Adds change·x to the sums of one output channel, for weight `element` (index into w) that
/// changed by `change`: sum [plane][lane] of that channel, in place. Exact sums only.
void add_weight_change(const Convolution& op, const View<float>& x, const Shape& w_shape,
                       const Shape& out_shape, std::int64_t element, float change, float* sum,
                       int lanes);

}  // namespace flipscope
