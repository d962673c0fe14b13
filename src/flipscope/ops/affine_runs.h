// The terms of weighted sums: which element of the data meets which weight, for which output.
// Terms whose three places advance in equal steps are told together, as a run.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "flipscope/ops/op.h"

namespace flipscope {

/// For i = 0 … count−1, out[output + i·output_step] is a sum with the term
/// a[first + i·first_step]·b[second + i·second_step], where a and b are the operator's first two
/// inputs; `channel` counts the outputs that share a bias and a rescale.
struct AffineRun {
  std::int64_t count = 0, channel = 0;
  std::int64_t output = 0, output_step = 0;
  std::int64_t first = 0, first_step = 0;
  std::int64_t second = 0, second_step = 0;
};

/// What brings the sum of a channel to the output.
inline double rescale_of(const Accumulation& accumulation, std::int64_t channel) {
  const std::vector<double>& scale = accumulation.rescale;
  if (scale.empty()) return 1;
  return scale[scale.size() == 1 ? 0 : channel];
}

/// Steps through the positions of a box in C order.
inline bool next_position(Shape& position, std::span<const std::int64_t> box) {
  for (std::size_t i = position.size(); i-- > 0;) {
    if (++position[i] < box[i]) return true;
    position[i] = 0;
  }
  return false;
}

namespace detail {

/// Where an output position reads the input through a kernel position along one axis; −1: nowhere.
inline std::int64_t read_at(const Convolution& op, std::size_t axis, std::int64_t at,
                            std::int64_t kernel) {
  return at * op.stride[axis] + kernel * op.dilation[axis] - op.pad_begin[axis];
}
inline std::int64_t read_at(const TransposedConvolution& op, std::size_t axis, std::int64_t at,
                            std::int64_t kernel) {
  const std::int64_t spread = at + op.pad_begin[axis] - kernel * op.dilation[axis];
  return spread >= 0 && spread % op.stride[axis] == 0 ? spread / op.stride[axis] : -1;
}

/// Kernel of (output channel, input channel), both counted within their group.
inline std::int64_t kernel_of(const Convolution& op, const Shape& w, std::int64_t group,
                              std::int64_t out, std::int64_t in) {
  return (group * (w[0] / op.groups) + out) * w[1] + in;
}
inline std::int64_t kernel_of(const TransposedConvolution& op, const Shape& w, std::int64_t group,
                              std::int64_t out, std::int64_t in) {
  return (group * (w[0] / op.groups) + in) * w[1] + out;
}

inline std::int64_t product(std::span<const std::int64_t> box) {
  std::int64_t all = 1;
  for (const std::int64_t length : box) all *= length;
  return all;
}

/// What one row of an output plane reads through one kernel position: a run within planes.
struct RowRead {
  std::int64_t tap = 0, count = 0;
  std::int64_t to = 0, to_step = 1;
  std::int64_t from = 0, from_step = 1;
};

/// Row by row of the output plane, so that what is added to again is still in the cache.
template <typename Op>
std::vector<RowRead> row_reads(const Op& op, std::span<const std::int64_t> in_box,
                               std::span<const std::int64_t> kernel_box,
                               std::span<const std::int64_t> out_box) {
  const std::size_t last = out_box.size() - 1;
  const std::span out_rows = out_box.first(last);
  std::vector<RowRead> reads;
  Shape row(last, 0);
  std::int64_t to = 0;
  do {
    Shape tap(kernel_box.size(), 0);
    std::int64_t number = 0;
    do {
      RowRead read{.tap = number++};
      std::int64_t from = 0;
      bool inside = true;
      for (std::size_t a = 0; a < last && inside; ++a) {
        const std::int64_t at = read_at(op, a, row[a], tap[a]);
        inside = at >= 0 && at < in_box[a];
        from = from * in_box[a] + at;
      }
      for (std::int64_t column = 0; inside && column < out_box[last]; ++column) {
        const std::int64_t at = read_at(op, last, column, tap[last]);
        if (at < 0 || at >= in_box[last]) continue;
        const std::int64_t there = from * in_box[last] + at;
        if (read.count == 0) {
          read.to = to + column;
          read.from = there;
        } else if (read.count == 1) {
          read.to_step = to + column - read.to;
          read.from_step = there - read.from;
        }
        ++read.count;
      }
      if (read.count > 0) reads.push_back(read);
    } while (next_position(tap, kernel_box));
    to += out_box[last];
  } while (next_position(row, out_rows));
  return reads;
}

template <typename Op, typename F>
void for_each_convolution_run(const Op& op, const Shape& x, const Shape& w, const Shape& y, F f) {
  const std::span in_box(x.begin() + 2, x.end()), out_box(y.begin() + 2, y.end());
  const std::span kernel_box(w.begin() + 2, w.end());
  const std::int64_t in_plane = product(in_box), out_plane = product(out_box);
  const std::int64_t taps = product(kernel_box);
  const std::int64_t in_channels = x[1] / op.groups, out_channels = y[1] / op.groups;
  const std::vector<RowRead> reads = row_reads(op, in_box, kernel_box, out_box);
  for (std::int64_t c = 0; c < y[0] * y[1]; ++c) {
    const std::int64_t sample = c / y[1], channel = c % y[1];
    const std::int64_t group = channel / out_channels;
    for (std::int64_t i = 0; i < in_channels; ++i) {
      const std::int64_t plane = sample * x[1] + group * in_channels + i;
      const std::int64_t kernel = kernel_of(op, w, group, channel % out_channels, i);
      for (const RowRead& read : reads) {
        f(AffineRun{read.count, channel, c * out_plane + read.to, read.to_step,
                    plane * in_plane + read.from, read.from_step, kernel * taps + read.tap, 0});
      }
    }
  }
}

/// Strides of an operand of a broadcast result: 0 along axes that it lacks or has only once.
inline Shape broadcast_strides(const Shape& operand, const Shape& result) {
  const Shape own = strides_of(operand);
  Shape strides(result.size(), 0);
  const std::size_t lead = result.size() - operand.size();
  for (std::size_t a = 0; a < operand.size(); ++a) {
    if (operand[a] != 1) strides[lead + a] = own[a];
  }
  return strides;
}

inline std::int64_t flat(const Shape& position, const Shape& strides) {
  std::int64_t index = 0;
  for (std::size_t a = 0; a < position.size(); ++a) index += position[a] * strides[a];
  return index;
}

}  // namespace detail

/// The product's output with the axes that vectors lack still there.
inline Shape whole_product_shape(Shape a, Shape b) {
  if (a.size() == 1) a.insert(a.begin(), 1);
  if (b.size() == 1) b.push_back(1);
  Shape out = broadcast(Shape(a.begin(), a.end() - 2), Shape(b.begin(), b.end() - 2));
  out.push_back(a[a.size() - 2]);
  out.push_back(b.back());
  return out;
}

/// Calls f(AffineRun) until every term of every output was told. a, b: shapes of the first two
/// inputs.
template <typename F>
void for_each_run(const Convolution& op, const Shape& a, const Shape& b, const Shape& out, F f) {
  detail::for_each_convolution_run(op, a, b, out, f);
}
template <typename F>
void for_each_run(const TransposedConvolution& op, const Shape& a, const Shape& b, const Shape& out,
                  F f) {
  detail::for_each_convolution_run(op, a, b, out, f);
}
template <typename F>
void for_each_run(const MatrixProduct&, Shape a, Shape b, const Shape&, F f) {
  const Shape out = whole_product_shape(a, b);
  if (a.size() == 1) a.insert(a.begin(), 1);
  if (b.size() == 1) b.push_back(1);
  const std::int64_t inner = a.back(), columns = b.back();
  Shape a_strides = detail::broadcast_strides(a, out),
        b_strides = detail::broadcast_strides(b, out);
  a_strides[out.size() - 1] = b_strides[out.size() - 2] = 0;  // the axes that the sum runs along
  Shape position(out.size(), 0);
  std::int64_t o = 0;
  do {
    const std::int64_t first = detail::flat(position, a_strides);
    const std::int64_t second = detail::flat(position, b_strides);
    f(AffineRun{inner, position.back(), o, 0, first, 1, second, columns});
    ++o;
  } while (next_position(position, out));
}

/// One term of a run.
struct AffineTerm {
  std::int64_t output = 0, channel = 0;
  std::int64_t first = 0, second = 0;
};

/// Calls f(AffineTerm) for every term of every output.
template <typename Op, typename F>
void for_each_term(const Op& op, const Shape& a, const Shape& b, const Shape& out, F f) {
  for_each_run(op, a, b, out, [&](const AffineRun& run) {
    for (std::int64_t i = 0; i < run.count; ++i) {
      f(AffineTerm{run.output + i * run.output_step, run.channel, run.first + i * run.first_step,
                   run.second + i * run.second_step});
    }
  });
}

}  // namespace flipscope
