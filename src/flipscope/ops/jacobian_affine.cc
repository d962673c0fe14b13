// Jacobians of convolutions and matrix products: products of an input with weights.
//
//   y[o] = s·(b + Σ_t w[k_t]·x[e_t])   gives   ∂y/∂x[e_t] = s·w[k_t], ∂y/∂w[k_t] = s·x[e_t], ∂y/∂b
//   = s
//
// with s the operator's rescale (1 for float layers).
#include "flipscope/ops/affine_terms.h"
#include "flipscope/ops/jacobian.h"

namespace flipscope {
namespace {

template <typename T, typename Op>
void term_entries(const Op& op, const Point<T>& at, Jacobian<T>& jacobian) {
  const bool by_first = jacobian.wants(0), by_second = jacobian.wants(1);
  if (!by_first && !by_second) return;
  for_each_term(op, *at.inputs[0].shape, *at.inputs[1].shape, *at.out_shape,
                [&](const AffineTerm& t) {
                  const double factor = rescale_of(op.accumulation, t.channel);
                  if (by_first) jacobian.entry(t.output, 0, t.first, 1, t.second, factor);
                  if (by_second) jacobian.entry(t.output, 1, t.second, 0, t.first, factor);
                });
}

template <typename T, typename Op>
void convolution_entries(const Op& op, const Point<T>& at, Jacobian<T>& jacobian) {
  term_entries(op, at, jacobian);
  if (!jacobian.wants(2)) return;
  const Shape& y = *at.out_shape;
  const std::int64_t elements = element_count(y), plane = strides_of(y)[1];
  for (std::int64_t o = 0; o < elements; ++o) {
    const std::int64_t channel = o / plane % y[1];
    jacobian.entry(o, 2, channel, T(rescale_of(op.accumulation, channel)));
  }
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
  term_entries(op, at, jacobian);
  if (!jacobian.wants(2)) return;
  const Shape out = whole_product_shape(*at.inputs[0].shape, *at.inputs[1].shape);
  const Shape strides = detail::broadcast_strides(*at.inputs[2].shape, out);
  Shape position(out.size(), 0);
  std::int64_t o = 0;
  do {
    jacobian.entry(o++, 2, detail::flat(position, strides),
                   T(rescale_of(op.accumulation, position.back())));
  } while (next_position(position, out));
}

#define FLIPSCOPE_INSTANTIATE(Op)                                            \
  template void entries(const Op&, const Point<double>&, Jacobian<double>&); \
  template void entries(const Op&, const Point<Dual>&, Jacobian<Dual>&);
FLIPSCOPE_INSTANTIATE(Convolution)
FLIPSCOPE_INSTANTIATE(TransposedConvolution)
FLIPSCOPE_INSTANTIATE(MatrixProduct)
#undef FLIPSCOPE_INSTANTIATE

}  // namespace flipscope
