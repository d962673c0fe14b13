#include "flipscope/ops/derivative.h"

#include <algorithm>

#include "flipscope/ops/affine_derivative.h"
#include "flipscope/ops/jacobian.h"

namespace flipscope {

template <typename T>
void vjp(const Op& op, std::span<const View<T>> inputs, const Shape& out_shape, const T* output,
         const T* cotangent, std::span<T* const> to, int lanes) {
  const Point<T> point{inputs, &out_shape, output, lanes};
  std::visit(
      [&](const auto& kind) {
        if constexpr (requires { kind.accumulation; }) {
          affine_vjp(kind, inputs, out_shape, cotangent, to, lanes);
        } else {
          Jacobian<T> jacobian = Jacobian<T>::backward(point, cotangent, to);
          entries<T>(kind, point, jacobian);
        }
      },
      op);
}

void jvp(const Op& op, std::span<const View<double>> inputs, const Shape& out_shape,
         const double* output, std::span<const double* const> tangents, double* out, int lanes) {
  const Point<double> point{inputs, &out_shape, output, lanes};
  std::visit(
      [&](const auto& kind) {
        if constexpr (requires { kind.accumulation; }) {
          affine_jvp(kind, inputs, out_shape, tangents, out, lanes);
        } else {
          std::fill_n(out, element_count(out_shape) * lanes, 0.0);
          Jacobian<double> jacobian = Jacobian<double>::forward(point, tangents, out);
          entries<double>(kind, point, jacobian);
        }
      },
      op);
}

template void vjp(const Op&, std::span<const View<double>>, const Shape&, const double*,
                  const double*, std::span<double* const>, int);
template void vjp(const Op&, std::span<const View<Dual>>, const Shape&, const Dual*, const Dual*,
                  std::span<Dual* const>, int);

}  // namespace flipscope
