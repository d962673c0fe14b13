// Jacobians of convolutions and matrix products: products of an input with weights.
//
//   y[o] = s·(b + Σ_t w[k_t]·x[e_t])   gives   ∂y/∂x[e_t] = s·w[k_t], ∂y/∂w[k_t] = s·x[e_t], ∂y/∂b
//   = s
//
// with s the operator's rescale (1 for float layers).
#include "flipscope/ops/jacobian.h"

namespace flipscope {
namespace {

double rescale_of(const Accumulation& accumulation, std::int64_t channel) {
  const std::vector<double>& scale = accumulation.rescale;
  if (scale.empty()) return 1;
  return scale[scale.size() == 1 ? 0 : channel];
}

/// One product of the sum for output o.
template <typename T>
void term(Jacobian<T>& jacobian, bool wants_x, bool wants_w, std::int64_t o, std::int64_t e,
          std::int64_t k, double factor) {
  if (wants_x) jacobian.entry(o, 0, e, 1, k, factor);
  if (wants_w) jacobian.entry(o, 1, k, 0, e, factor);
}

/// Steps through the positions of a box in C order.
bool next(Shape& position, std::span<const std::int64_t> box) {
  for (std::size_t i = position.size(); i-- > 0;) {
    if (++position[i] < box[i]) return true;
    position[i] = 0;
  }
  return false;
}

std::int64_t product(std::span<const std::int64_t> box) {
  std::int64_t all = 1;
  for (const std::int64_t length : box) all *= length;
  return all;
}

/// Where an output position reads the input through a kernel position along one axis; −1: nowhere.
std::int64_t read_at(const Convolution& op, std::size_t axis, std::int64_t at,
                     std::int64_t kernel) {
  return at * op.stride[axis] + kernel * op.dilation[axis] - op.pad_begin[axis];
}
std::int64_t read_at(const TransposedConvolution& op, std::size_t axis, std::int64_t at,
                     std::int64_t kernel) {
  const std::int64_t spread = at + op.pad_begin[axis] - kernel * op.dilation[axis];
  return spread >= 0 && spread % op.stride[axis] == 0 ? spread / op.stride[axis] : -1;
}

/// Weight of (output channel, input channel within its group), both counted within the group.
std::int64_t weight_block(const Convolution&, const Shape& w, std::int64_t groups,
                          std::int64_t group, std::int64_t out, std::int64_t in) {
  return (group * (w[0] / groups) + out) * w[1] + in;
}
std::int64_t weight_block(const TransposedConvolution&, const Shape& w, std::int64_t groups,
                          std::int64_t group, std::int64_t out, std::int64_t in) {
  return (group * (w[0] / groups) + in) * w[1] + out;
}

template <typename T, typename Op>
void convolution_entries(const Op& op, const Point<T>& at, Jacobian<T>& jacobian) {
  const Shape& x = *at.inputs[0].shape;
  const Shape& w = *at.inputs[1].shape;
  const Shape& y = *at.out_shape;
  const std::span in_box(x.begin() + 2, x.end()), out_box(y.begin() + 2, y.end());
  const std::span kernel_box(w.begin() + 2, w.end());
  const std::int64_t in_plane = product(in_box), out_plane = product(out_box);
  const std::int64_t kernel = product(kernel_box);
  const std::int64_t in_channels = x[1] / op.groups, out_channels = y[1] / op.groups;
  const bool wants_x = jacobian.wants(0), wants_w = jacobian.wants(1), wants_b = jacobian.wants(2);

  Shape position(out_box.size(), 0);
  std::int64_t to = 0;
  do {
    Shape tap(kernel_box.size(), 0);
    std::int64_t k = 0;
    do {
      std::int64_t from = 0;
      bool inside = true;
      for (std::size_t a = 0; a < tap.size() && inside; ++a) {
        const std::int64_t read = read_at(op, a, position[a], tap[a]);
        inside = read >= 0 && read < in_box[a];
        from = from * in_box[a] + read;
      }
      if (inside) {
        for (std::int64_t c = 0; c < y[0] * y[1]; ++c) {
          const std::int64_t sample = c / y[1], channel = c % y[1];
          const std::int64_t group = channel / out_channels;
          const double factor = rescale_of(op.accumulation, channel);
          for (std::int64_t i = 0; i < in_channels; ++i) {
            const std::int64_t plane = sample * x[1] + group * in_channels + i;
            const std::int64_t block =
                weight_block(op, w, op.groups, group, channel % out_channels, i);
            term(jacobian, wants_x, wants_w, c * out_plane + to, plane * in_plane + from,
                 block * kernel + k, factor);
          }
        }
      }
      ++k;
    } while (next(tap, kernel_box));
    for (std::int64_t c = 0; wants_b && c < y[0] * y[1]; ++c) {
      jacobian.entry(c * out_plane + to, 2, c % y[1], T(rescale_of(op.accumulation, c % y[1])));
    }
    ++to;
  } while (next(position, out_box));
}

/// Strides of an operand of a broadcast result: 0 along axes that it lacks or has only once.
Shape broadcast_strides(const Shape& operand, const Shape& result) {
  const Shape own = strides_of(operand);
  Shape strides(result.size(), 0);
  const std::size_t lead = result.size() - operand.size();
  for (std::size_t a = 0; a < operand.size(); ++a) {
    if (operand[a] != 1) strides[lead + a] = own[a];
  }
  return strides;
}

std::int64_t dot(const Shape& position, const Shape& strides) {
  std::int64_t index = 0;
  for (std::size_t a = 0; a < position.size(); ++a) index += position[a] * strides[a];
  return index;
}

}  // namespace

template <typename T>
void entries(const Convolution& op, const Point<T>& at, Jacobian<T>& jacobian) {
  convolution_entries(op, at, jacobian);
}

template <typename T>
void entries(const TransposedConvolution& op, const Point<T>& at, Jacobian<T>& jacobian) {
  convolution_entries(op, at, jacobian);
}

template <typename T>
void entries(const MatrixProduct& op, const Point<T>& at, Jacobian<T>& jacobian) {
  Shape a = *at.inputs[0].shape, b = *at.inputs[1].shape;
  if (a.size() == 1) a.insert(a.begin(), 1);
  if (b.size() == 1) b.push_back(1);
  const std::int64_t inner = a.back(), columns = b.back();
  Shape out = broadcast(Shape(a.begin(), a.end() - 2), Shape(b.begin(), b.end() - 2));
  out.push_back(a[a.size() - 2]);
  out.push_back(columns);
  const std::size_t row_axis = out.size() - 2, column_axis = out.size() - 1;
  Shape a_strides = broadcast_strides(a, out), b_strides = broadcast_strides(b, out);
  a_strides[column_axis] = b_strides[row_axis] = 0;  // the inner axes, which the sum runs along
  const bool wants_a = jacobian.wants(0), wants_b = jacobian.wants(1);
  const bool wants_addend = jacobian.wants(2);
  const Shape addend_strides =
      wants_addend ? broadcast_strides(*at.inputs[2].shape, out) : Shape(out.size(), 0);

  Shape position(out.size(), 0);
  std::int64_t o = 0;
  do {
    const std::int64_t a_first = dot(position, a_strides), b_first = dot(position, b_strides);
    const double factor = rescale_of(op.accumulation, position[column_axis]);
    for (std::int64_t k = 0; k < inner; ++k) {
      term(jacobian, wants_a, wants_b, o, a_first + k, b_first + k * columns, factor);
    }
    if (wants_addend) jacobian.entry(o, 2, dot(position, addend_strides), T(factor));
    ++o;
  } while (next(position, out));
}

#define FLIPSCOPE_INSTANTIATE(Op)                                            \
  template void entries(const Op&, const Point<double>&, Jacobian<double>&); \
  template void entries(const Op&, const Point<Dual>&, Jacobian<Dual>&);
FLIPSCOPE_INSTANTIATE(Convolution)
FLIPSCOPE_INSTANTIATE(TransposedConvolution)
FLIPSCOPE_INSTANTIATE(MatrixProduct)
#undef FLIPSCOPE_INSTANTIATE

}  // namespace flipscope
