// Element-wise functions of two inputs, and selection between two inputs by a third.
#include "flipscope/ops/binary.h"

#include <array>
#include <cmath>

#include "flipscope/numeric/deterministic_math.h"
#include "flipscope/ops/index.h"
#include "flipscope/ops/rounding.h"
#include "flipscope/ops/rows.h"

namespace flipscope {
namespace {

/// The remainder with the sign of b, as Python's. fmod is exact.
template <typename T>
T modulo_floor(T a, T b) {
  const T rest = std::fmod(a, b);
  return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}

template <typename T>
void apply(BinaryFunction function, const T* a, const T* b, T* out, std::int64_t n) {
  using F = BinaryFunction;
  const auto map = [=](auto f) {
    each_lane(n, [=](auto i) { out[i] = static_cast<T>(f(a[i], b[i])); });
  };
  switch (function) {
    case F::add:
      return map([](T x, T y) { return x + y; });
    case F::subtract:
      return map([](T x, T y) { return x - y; });
    case F::multiply:
      return map([](T x, T y) { return x * y; });
    case F::divide:
      return map([](T x, T y) { return x / y; });
    case F::divide_truncating:
      return map([](T x, T y) { return round_by<Rounding::toward_zero>(x / y); });
    case F::power:
      return map([](T x, T y) { return det::pow(x, y); });
    case F::minimum:
      return map([](T x, T y) { return (x < y) | (x != x) ? x : y; });
    case F::maximum:
      return map([](T x, T y) { return (x > y) | (x != x) ? x : y; });
    case F::modulo_floor:
      return map([](T x, T y) { return modulo_floor(x, y); });
    case F::modulo_truncate:
      return map([](T x, T y) { return std::fmod(x, y); });
    case F::equal:
      return map([](T x, T y) { return x == y; });
    case F::less:
      return map([](T x, T y) { return x < y; });
    case F::less_or_equal:
      return map([](T x, T y) { return x <= y; });
    case F::greater:
      return map([](T x, T y) { return x > y; });
    case F::greater_or_equal:
      return map([](T x, T y) { return x >= y; });
    case F::logical_and:
      return map([](T x, T y) { return (x != 0) & (y != 0); });
    case F::logical_or:
      return map([](T x, T y) { return (x != 0) | (y != 0); });
    case F::logical_xor:
      return map([](T x, T y) { return (x != 0) ^ (y != 0); });
    case F::prelu:
      return map([](T x, T slope) { return x < 0 ? slope * x : x; });
  }
}

}  // namespace

Shape output_shape(const Binary&, std::span<const Shape> inputs) {
  require_inputs("Binary", inputs, 2);
  return broadcast(inputs[0], inputs[1]);
}

Shape output_shape(const Select&, std::span<const Shape> inputs) {
  require_inputs("Select", inputs, 3);
  return broadcast(broadcast(inputs[0], inputs[1]), inputs[2]);
}

template <typename T>
void forward(const Binary& op, std::span<const View<T>> inputs, const Shape& out_shape, T* out,
             int lanes) {
  const std::int64_t elements = element_count(out_shape);
  const bool aligned = *inputs[0].shape == *inputs[1].shape;
  if (aligned && !inputs[0].constant && !inputs[1].constant) {
    return apply(op.function, inputs[0].data, inputs[1].data, out, elements * lanes);
  }
  const std::array shapes{inputs[0].shape, inputs[1].shape};
  BroadcastWalk walk(out_shape, shapes);
  Rows<T> a(inputs[0], lanes), b(inputs[1], lanes);
  for (std::int64_t i = 0; i < elements; ++i, out += lanes, walk.next()) {
    apply(op.function, a[walk[0]], b[walk[1]], out, lanes);
  }
}

template <typename T>
void forward(const Select&, std::span<const View<T>> inputs, const Shape& out_shape, T* out,
             int lanes) {
  const std::int64_t elements = element_count(out_shape);
  const std::array shapes{inputs[0].shape, inputs[1].shape, inputs[2].shape};
  BroadcastWalk walk(out_shape, shapes);
  Rows<T> conditions(inputs[0], lanes), a(inputs[1], lanes), b(inputs[2], lanes);
  for (std::int64_t i = 0; i < elements; ++i, out += lanes, walk.next()) {
    const T* condition = conditions[walk[0]];
    const T* yes = a[walk[1]];
    const T* no = b[walk[2]];
    each_lane(lanes, [=](auto k) { out[k] = condition[k] != 0 ? yes[k] : no[k]; });
  }
}

template void forward(const Binary&, std::span<const View<float>>, const Shape&, float*, int);
template void forward(const Binary&, std::span<const View<double>>, const Shape&, double*, int);
template void forward(const Select&, std::span<const View<float>>, const Shape&, float*, int);
template void forward(const Select&, std::span<const View<double>>, const Shape&, double*, int);

}  // namespace flipscope
