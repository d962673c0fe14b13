#include "flipscope/ops/affine_derivative.h"

#include <algorithm>
#include <type_traits>
#include <vector>

#include "flipscope/numeric/aligned.h"
#include "flipscope/ops/affine_runs.h"
#include "flipscope/ops/outer_products.h"
#include "flipscope/ops/run_products.h"

namespace flipscope {
namespace {

/// An operand or the output: [element][lane], or [element] where all lanes share it.
template <typename T>
struct Field {
  T* data = nullptr;
  bool lanes = true;

  Walk<T> walk(std::int64_t first, std::int64_t step, int count) const {
    const std::int64_t size = lanes ? count : 1;
    return {data + first * size, step * size, lanes};
  }
};

using From = Field<const double>;
using Into = Field<double>;

struct Shapes {
  const Shape& first;
  const Shape& second;
  const Shape& output;
};

/// to += the operator's forward pass on two operands, without its addend and rescale.
template <typename Op>
void add_forward(const Op& op, const View<double>& first, const View<double>& second,
                 const Shape& out_shape, double* to, int lanes) {
  const View<double> inputs[] = {first, second};
  AlignedVector<double> out(element_count(out_shape) * lanes);
  forward<double>(op, std::span(inputs), out_shape, out.data(), lanes);
  for (std::size_t i = 0; i < out.size(); ++i) to[i] += out[i];
}

/// The operator whose forward pass is a convolution's derivative with respect to its input: the
/// same weights take the output back.
template <typename Op>
auto adjoint(const Op& op) {
  using Other =
      std::conditional_t<std::is_same_v<Op, Convolution>, TransposedConvolution, Convolution>;
  return Other{.stride = op.stride,
               .dilation = op.dilation,
               .pad_begin = op.pad_begin,
               .pad_end = op.pad_end,
               .groups = op.groups};
}

/// True where samples lie in the lanes of the data and share the weights, as they do in most
/// layers.
template <typename Op>
bool is_layer(const Shapes& shapes, bool first_has_lanes, bool second_has_lanes, int lanes) {
  return first_has_lanes && !second_has_lanes && lanes % kLaneGroup == 0 &&
         (!std::is_same_v<Op, MatrixProduct> || shapes.second.size() == 2);
}

/// first += what the output's cotangents pull back through the weights of a layer.
template <typename Op>
void pull_through_layer(const Op& op, const Shapes& shapes, const double* weights,
                        const double* output, double* first, int lanes) {
  add_forward(adjoint(op), {output, &shapes.output}, {weights, &shapes.second, true}, shapes.first,
              first, lanes);
}
void pull_through_layer(const MatrixProduct&, const Shapes& shapes, const double* weights,
                        const double* output, double* first, int lanes) {
  const std::int64_t inner = shapes.second[0], columns = shapes.second[1];
  const Shape shape{columns, inner};
  std::vector<double> transposed(inner * columns);
  for (std::int64_t i = 0; i < inner; ++i) {
    for (std::int64_t c = 0; c < columns; ++c) transposed[c * inner + i] = weights[i * columns + c];
  }
  add_forward(MatrixProduct{}, {output, &shapes.output}, {transposed.data(), &shape, true},
              shapes.first, first, lanes);
}

/// weights += the products of a layer's data and its output's cotangents.
template <typename Op>
void add_layer_products(const Op& op, const Shapes& shapes, const double* first,
                        const double* output, double* weights, int lanes) {
  const Shape &x = shapes.first, &w = shapes.second, &y = shapes.output;
  const std::span in_box(x.begin() + 2, x.end()), out_box(y.begin() + 2, y.end());
  const std::span kernel_box(w.begin() + 2, w.end());
  const std::int64_t in_plane = detail::product(in_box), out_plane = detail::product(out_box);
  const std::int64_t taps = detail::product(kernel_box);
  const std::int64_t in_channels = x[1] / op.groups, out_channels = y[1] / op.groups;
  std::vector<std::vector<std::int64_t>> from(taps), to(taps);
  for (const detail::RowRead& read : detail::row_reads(op, in_box, kernel_box, out_box)) {
    for (std::int64_t i = 0; i < read.count; ++i) {
      from[read.tap].push_back(read.from + i * read.from_step);
      to[read.tap].push_back(read.to + i * read.to_step);
    }
  }
  for (std::int64_t n = 0; n < x[0]; ++n) {
    for (std::int64_t group = 0; group < op.groups; ++group) {
      const std::int64_t in = n * x[1] + group * in_channels;
      const std::int64_t out = n * y[1] + group * out_channels;
      const std::int64_t kernel = detail::kernel_of(op, w, group, 0, 0);
      for (std::int64_t tap = 0; tap < taps; ++tap) {
        add_outer_products(
            {.rows = {output + out * out_plane * lanes, to[tap], out_plane, out_channels},
             .columns = {first + in * in_plane * lanes, from[tap], in_plane, in_channels},
             .lanes = lanes,
             .to = weights + kernel * taps + tap,
             .row_step = (detail::kernel_of(op, w, group, 1, 0) - kernel) * taps,
             .column_step = (detail::kernel_of(op, w, group, 0, 1) - kernel) * taps});
      }
    }
  }
}
void add_layer_products(const MatrixProduct&, const Shapes& shapes, const double* first,
                        const double* output, double* weights, int lanes) {
  const std::int64_t inner = shapes.second[0], columns = shapes.second[1];
  std::vector<std::int64_t> from, to;
  for (std::int64_t row = 0; row < element_count(shapes.first) / inner; ++row) {
    from.push_back(row * inner);
    to.push_back(row * columns);
  }
  add_outer_products({.rows = {output, to, 1, columns},
                      .columns = {first, from, 1, inner},
                      .lanes = lanes,
                      .to = weights,
                      .row_step = 1,
                      .column_step = columns});
}

/// The transposes of the operator: first += what `second` pulls back of the output, and second +=
/// what `first` does.
template <typename Op>
void add_to_first(const Op& op, const Shapes& shapes, From second, From output, Into first,
                  int lanes) {
  if (is_layer<Op>(shapes, first.lanes, second.lanes, lanes)) {
    return pull_through_layer(op, shapes, second.data, output.data, first.data, lanes);
  }
  for_each_run(op, shapes.first, shapes.second, shapes.output, [&](const AffineRun& r) {
    add_products(r.count, second.walk(r.second, r.second_step, lanes),
                 output.walk(r.output, r.output_step, lanes),
                 first.walk(r.first, r.first_step, lanes), lanes);
  });
}
template <typename Op>
void add_to_second(const Op& op, const Shapes& shapes, From first, From output, Into second,
                   int lanes) {
  if (is_layer<Op>(shapes, first.lanes, second.lanes, lanes)) {
    return add_layer_products(op, shapes, first.data, output.data, second.data, lanes);
  }
  for_each_run(op, shapes.first, shapes.second, shapes.output, [&](const AffineRun& r) {
    add_products(r.count, first.walk(r.first, r.first_step, lanes),
                 output.walk(r.output, r.output_step, lanes),
                 second.walk(r.second, r.second_step, lanes), lanes);
  });
}

/// Calls f(output element, its channel).
template <typename Op, typename F>
void for_each_channel(const Op&, const Shapes& shapes, F f) {
  const bool product = std::is_same_v<Op, MatrixProduct>;
  const Shape shape = product ? whole_product_shape(shapes.first, shapes.second) : shapes.output;
  const std::int64_t channels = product ? shape.back() : shape[1];
  const std::int64_t plane = product ? 1 : strides_of(shape)[1];
  const std::int64_t elements = element_count(shape);
  for (std::int64_t o = 0; o < elements; ++o) f(o, o / plane % channels);
}

/// Calls f(output element, element of the addend β).
template <typename Op, typename F>
void for_each_addend(const Op& op, const Shapes& shapes, const Shape& addend, F f) {
  if constexpr (std::is_same_v<Op, MatrixProduct>) {
    const Shape out = whole_product_shape(shapes.first, shapes.second);
    const Shape strides = detail::broadcast_strides(addend, out);
    Shape position(out.size(), 0);
    std::int64_t o = 0;
    do {
      f(o++, detail::flat(position, strides));
    } while (next_position(position, out));
  } else {
    for_each_channel(op, shapes, f);
  }
}

template <typename Op, typename T>
void rescale(const Op& op, const Shapes& shapes, T* output, int lanes) {
  if (op.accumulation.rescale.empty()) return;
  for_each_channel(op, shapes, [&](std::int64_t o, std::int64_t channel) {
    const T factor = rescale_of(op.accumulation, channel);
    for (int l = 0; l < lanes; ++l) output[o * lanes + l] = factor * output[o * lanes + l];
  });
}

template <typename Op>
void add_addend(const Op& op, const Shapes& shapes, const Shape& addend, From from, double* output,
                int lanes) {
  for_each_addend(op, shapes, addend, [&](std::int64_t o, std::int64_t e) {
    for (int l = 0; l < lanes; ++l) {
      output[o * lanes + l] += from.data[from.lanes ? e * lanes + l : e];
    }
  });
}

bool has_addend(std::span<const View<double>> inputs) {
  return inputs.size() > 2 && inputs[2].shape;
}

/// Values and tangents of dual numbers, apart.
struct Planes {
  AlignedVector<double> value, tangent;

  explicit Planes(std::size_t count) : value(count, 0.0), tangent(count, 0.0) {}
  Planes(const Dual* from, std::size_t count) : Planes(count) {
    for (std::size_t i = 0; i < count; ++i) {
      value[i] = from[i].value;
      tangent[i] = from[i].tangent;
    }
  }
  void add_to(Dual* to) const {
    for (std::size_t i = 0; i < value.size(); ++i) to[i] += Dual(value[i], tangent[i]);
  }
};

std::size_t size_of(const View<Dual>& view, int lanes) {
  return element_count(*view.shape) * view.step(lanes);
}

/// Cotangents of the first two inputs; `cotangent` is that of the sum before its rescale.
template <typename Op>
void pull_products(const Op& op, const Shapes& shapes, std::span<const View<double>> inputs,
                   const double* cotangent, std::span<double* const> to, int lanes) {
  const View<double>&a = inputs[0], &b = inputs[1];
  const From output{cotangent};
  if (to[0]) {
    add_to_first(op, shapes, {b.data, !b.constant}, output, {to[0], !a.constant}, lanes);
  }
  if (to[1]) {
    add_to_second(op, shapes, {a.data, !a.constant}, output, {to[1], !b.constant}, lanes);
  }
}
template <typename Op>
void pull_products(const Op& op, const Shapes& shapes, std::span<const View<Dual>> inputs,
                   const Dual* cotangent, std::span<Dual* const> to, int lanes) {
  const View<Dual>&a = inputs[0], &b = inputs[1];
  const Planes c(cotangent, element_count(shapes.output) * lanes);
  const From c_value{c.value.data()}, c_tangent{c.tangent.data()};
  const auto pull = [&](Dual* target, const View<Dual>& own, const View<Dual>& other, auto add) {
    if (!target) return;
    const Planes factor(other.data, size_of(other, lanes));
    Planes sum(size_of(own, lanes));
    const Into value{sum.value.data(), !own.constant}, tangent{sum.tangent.data(), !own.constant};
    const From factor_value{factor.value.data(), !other.constant};
    add(factor_value, c_value, value);
    add(factor_value, c_tangent, tangent);
    add(From{factor.tangent.data(), !other.constant}, c_value, tangent);
    sum.add_to(target);
  };
  pull(to[0], a, b, [&](From factor, From output, Into sum) {
    add_to_first(op, shapes, factor, output, sum, lanes);
  });
  pull(to[1], b, a, [&](From factor, From output, Into sum) {
    add_to_second(op, shapes, factor, output, sum, lanes);
  });
}

}  // namespace

template <typename Op>
void affine_jvp(const Op& op, std::span<const View<double>> inputs, const Shape& out_shape,
                std::span<const double* const> tangents, double* out, int lanes) {
  const View<double>&a = inputs[0], &b = inputs[1];
  const Shapes shapes{*a.shape, *b.shape, out_shape};
  Op plain = op;
  plain.accumulation = {};
  std::fill_n(out, element_count(out_shape) * lanes, 0.0);
  if (tangents[0]) {
    add_forward(plain, {tangents[0], a.shape, a.constant}, b, out_shape, out, lanes);
  }
  if (tangents[1]) {
    add_forward(plain, a, {tangents[1], b.shape, b.constant}, out_shape, out, lanes);
  }
  if (has_addend(inputs) && tangents[2]) {
    add_addend(op, shapes, *inputs[2].shape, {tangents[2], !inputs[2].constant}, out, lanes);
  }
  rescale(op, shapes, out, lanes);
}

template <typename Op, typename T>
void affine_vjp(const Op& op, std::span<const View<T>> inputs, const Shape& out_shape,
                const T* cotangent, std::span<T* const> to, int lanes) {
  const Shapes shapes{*inputs[0].shape, *inputs[1].shape, out_shape};
  AlignedVector<T> scaled(cotangent, cotangent + element_count(out_shape) * lanes);
  rescale(op, shapes, scaled.data(), lanes);
  pull_products(op, shapes, inputs, scaled.data(), to, lanes);
  if (inputs.size() < 3 || !inputs[2].shape || !to[2]) return;
  for_each_addend(op, shapes, *inputs[2].shape, [&](std::int64_t o, std::int64_t e) {
    for (int l = 0; l < lanes; ++l) {
      to[2][inputs[2].constant ? e : e * lanes + l] += scaled[o * lanes + l];
    }
  });
}

#define FLIPSCOPE_INSTANTIATE(Op)                                                                 \
  template void affine_jvp(const Op&, std::span<const View<double>>, const Shape&,                \
                           std::span<const double* const>, double*, int);                         \
  template void affine_vjp(const Op&, std::span<const View<double>>, const Shape&, const double*, \
                           std::span<double* const>, int);                                        \
  template void affine_vjp(const Op&, std::span<const View<Dual>>, const Shape&, const Dual*,     \
                           std::span<Dual* const>, int);
FLIPSCOPE_INSTANTIATE(Convolution)
FLIPSCOPE_INSTANTIATE(TransposedConvolution)
FLIPSCOPE_INSTANTIATE(MatrixProduct)
#undef FLIPSCOPE_INSTANTIATE

}  // namespace flipscope
