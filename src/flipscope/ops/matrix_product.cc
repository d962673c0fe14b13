#include "flipscope/ops/matrix_product.h"

#include <algorithm>

#include "flipscope/numeric/error.h"
#include "flipscope/ops/dot.h"

namespace flipscope {
namespace {

/// The operands as NumPy's matmul sees them: vectors gain an axis of one.
struct Matrices {
  Shape a, b;   ///< of rank ≥ 2
  Shape batch;  ///< broadcast
  Shape out;    ///< with the axes that vectors lack still there
  bool a_vector = false, b_vector = false;
};

Matrices matrices(const Shape& a, const Shape& b) {
  if (a.empty() || b.empty()) {
    fail("shape", "MatrixProduct needs operands of rank 1 or more, got {} and {}", to_string(a),
         to_string(b));
  }
  Matrices m{a, b, {}, {}, a.size() == 1, b.size() == 1};
  if (m.a_vector) m.a.insert(m.a.begin(), 1);
  if (m.b_vector) m.b.push_back(1);
  if (m.a.back() != m.b[m.b.size() - 2]) {
    fail("shape", "MatrixProduct inner sizes differ: {} times {}", to_string(a), to_string(b));
  }
  m.batch = broadcast(Shape(m.a.begin(), m.a.end() - 2), Shape(m.b.begin(), m.b.end() - 2));
  m.out = m.batch;
  m.out.push_back(m.a[m.a.size() - 2]);
  m.out.push_back(m.b.back());
  return m;
}

/// Flat index of the first element of batch `position` in an operand of the given matrix size.
std::int64_t batch_offset(const Shape& operand, const Shape& position) {
  const std::size_t axes = operand.size() - 2;
  const std::size_t lead = position.size() - axes;
  std::int64_t index = 0;
  for (std::size_t i = 0; i < axes; ++i) {
    index = index * operand[i] + (operand[i] == 1 ? 0 : position[lead + i]);
  }
  return index * operand[axes] * operand[axes + 1];
}

/// Flat index of the addend for output element (batch position, row), column 0, and its step along
/// the columns.
struct Addend {
  std::int64_t first = 0;
  std::int64_t step = 0;
};

Addend addend_at(const Shape& c, const Shape& out, const Shape& position, std::int64_t row) {
  Addend result;
  const std::size_t lead = out.size() - c.size();
  for (std::size_t i = 0; i < c.size(); ++i) {
    const std::size_t axis = lead + i;
    const std::int64_t at = axis + 1 == out.size()   ? 0
                            : axis + 2 == out.size() ? row
                                                     : position[axis];
    result.first = result.first * c[i] + (c[i] == 1 ? 0 : at);
  }
  result.step = !c.empty() && c.back() != 1 ? 1 : 0;
  return result;
}

/// Columns [first, last); `Sum` is what is done for each row.
template <typename T, auto Sum = dot<T>>
void run(const MatrixProduct& op, std::span<const View<T>> inputs, T* out, int lanes,
         std::int64_t first, std::int64_t last) {
  const Matrices m = matrices(*inputs[0].shape, *inputs[1].shape);
  const std::int64_t rows = m.a[m.a.size() - 2];
  const std::int64_t inner = m.a.back();
  const std::int64_t columns = m.b.back();
  Taps taps;
  for (std::int64_t k = 0; k < inner; ++k) taps.add(k, k * columns);

  Shape position(m.batch.size(), 0);
  const std::int64_t batches = element_count(m.batch);
  for (std::int64_t batch = 0; batch < batches; ++batch) {
    for (std::int64_t row = 0; row < rows; ++row) {
      Addend addend;
      const bool has_addend = inputs.size() > 2 && inputs[2].shape;
      if (has_addend) addend = addend_at(*inputs[2].shape, m.out, position, row);
      Sum(Dot<T>{.x = inputs[0],
                 .x_first = batch_offset(m.a, position) + row * inner,
                 .w = inputs[1],
                 .w_first = batch_offset(m.b, position) + first,
                 .row_step = 1,
                 .taps = &taps,
                 .bias = has_addend ? inputs[2] : View<T>{},
                 .bias_first = addend.first + first * addend.step,
                 .bias_step = addend.step,
                 .rows = last - first,
                 .out = out + ((batch * rows + row) * columns + first) * lanes,
                 .out_step = lanes,
                 .channel = first,
                 .accumulation = &op.accumulation,
                 .lanes = lanes});
    }
    for (std::size_t i = position.size(); i-- > 0;) {
      if (++position[i] < m.batch[i]) break;
      position[i] = 0;
    }
  }
}

}  // namespace

Shape output_shape(const MatrixProduct&, std::span<const Shape> inputs) {
  if (inputs.size() < 2) fail("shape", "MatrixProduct needs two operands");
  const Matrices m = matrices(inputs[0], inputs[1]);
  Shape out = m.batch;
  if (!m.a_vector) out.push_back(m.out[m.out.size() - 2]);
  if (!m.b_vector) out.push_back(m.out.back());
  if (inputs.size() > 2 && (m.a_vector || m.b_vector || broadcast(inputs[2], out) != out)) {
    fail("shape", "MatrixProduct addend {} does not broadcast to the output {}",
         to_string(inputs[2]), to_string(out));
  }
  return out;
}

template <typename T>
void forward_channels(const MatrixProduct& op, std::span<const View<T>> inputs, const Shape&,
                      T* out, int lanes, std::int64_t first, std::int64_t last) {
  run(op, inputs, out, lanes, first, last);
}

void partial_sums(const MatrixProduct& op, std::span<const View<float>> inputs,
                  const Shape& out_shape, float* out, int lanes) {
  run<float, dot_partial_sums>(op, inputs, out, lanes, 0, out_shape.back());
}

void add_change(const View<float>& w, std::span<const std::int64_t> elements, const float* change,
                const float* start, float* out, int lanes) {
  static const Accumulation kPlainSum;
  const std::int64_t columns = w.shape->back();
  Taps taps;
  for (std::size_t i = 0; i < elements.size(); ++i) {
    taps.add(static_cast<std::int64_t>(i), elements[i] * columns);
  }
  dot(Dot<float>{.x = {change, w.shape},
                 .w = w,
                 .row_step = 1,
                 .taps = &taps,
                 .start = start,
                 .rows = columns,
                 .out = out,
                 .out_step = lanes,
                 .accumulation = &kPlainSum,
                 .lanes = lanes});
}

template <typename T>
void forward(const MatrixProduct& op, std::span<const View<T>> inputs, const Shape& out_shape,
             T* out, int lanes) {
  const Matrices m = matrices(*inputs[0].shape, *inputs[1].shape);
  forward_channels(op, inputs, out_shape, out, lanes, 0, m.b.back());
}

#define FLIPSCOPE_INSTANTIATE(T)                                                                   \
  template void forward<T>(const MatrixProduct&, std::span<const View<T>>, const Shape&, T*, int); \
  template void forward_channels<T>(const MatrixProduct&, std::span<const View<T>>, const Shape&,  \
                                    T*, int, std::int64_t, std::int64_t);
FLIPSCOPE_INSTANTIATE(float)
FLIPSCOPE_INSTANTIATE(double)
#undef FLIPSCOPE_INSTANTIATE

}  // namespace flipscope
