// Linear maps that no model learns: movements of values, and fixed sparse sums.
#include "flipscope/ops/rearrange.h"

#include <cmath>

#include "flipscope/numeric/error.h"
#include "flipscope/ops/index.h"
#include "flipscope/ops/rows.h"

namespace flipscope {

Shape output_shape(const Rearrange& op, std::span<const Shape> inputs) {
  std::int64_t available = 0;
  for (const Shape& input : inputs) available += element_count(input);
  if (static_cast<std::int64_t>(op.source.size()) != element_count(op.shape)) {
    fail("shape", "Rearrange: the table has {} entries, but the output {} has {} elements",
         op.source.size(), to_string(op.shape), element_count(op.shape));
  }
  for (const std::int32_t source : op.source) {
    if (source < -1 || source >= available) {
      fail("shape", "Rearrange: source {} is outside of the inputs, which have {} elements", source,
           available);
    }
  }
  return op.shape;
}

Shape output_shape(const SparseLinear& op, std::span<const Shape> inputs) {
  require_inputs("SparseLinear", inputs, 1);
  const std::int64_t elements = element_count(op.shape);
  if (static_cast<std::int64_t>(op.begin.size()) != elements + 1 || op.begin.front() != 0 ||
      op.begin.back() != static_cast<std::int64_t>(op.source.size()) ||
      !std::is_sorted(op.begin.begin(), op.begin.end()) || op.source.size() != op.weight.size()) {
    fail("shape",
         "SparseLinear: {} begins, {} sources and {} weights do not describe the {} sums of {}",
         op.begin.size(), op.source.size(), op.weight.size(), elements, to_string(op.shape));
  }
  for (const std::int32_t source : op.source) {
    if (source < 0 || source >= element_count(inputs[0])) {
      fail("shape", "SparseLinear: source {} is outside of the input {}", source,
           to_string(inputs[0]));
    }
  }
  return op.shape;
}

template <typename T>
void forward(const Rearrange& op, std::span<const View<T>> inputs, const Shape&, T* out,
             int lanes) {
  std::vector<std::int64_t> ends;
  for (const View<T>& input : inputs) {
    ends.push_back((ends.empty() ? 0 : ends.back()) + element_count(*input.shape));
  }
  const std::size_t elements = op.source.size();
  const T fill = static_cast<T>(op.fill);
  for (std::size_t i = 0; i < elements;) {
    const std::int64_t first = op.source[i];
    if (first < 0) {
      std::fill_n(out, lanes, fill);
      out += lanes, ++i;
      continue;
    }
    const auto input =
        static_cast<std::size_t>(std::upper_bound(ends.begin(), ends.end(), first) - ends.begin());
    std::int64_t run = 1;
    while (i + run < elements && op.source[i + run] == first + run && first + run < ends[input]) {
      ++run;
    }
    const std::int64_t start = first - (input == 0 ? 0 : ends[input - 1]);
    const T* data = inputs[input].data;
    if (inputs[input].constant) {
      for (std::int64_t r = 0; r < run; ++r) {
        std::fill_n(out + r * lanes, lanes, data[start + r]);
      }
    } else {
      std::copy_n(data + start * lanes, run * lanes, out);
    }
    out += run * lanes;
    i += run;
  }
}

template <typename T>
void forward(const SparseLinear& op, std::span<const View<T>> inputs, const Shape&, T* out,
             int lanes) {
  Rows<T> rows(inputs[0], lanes);
  for (std::size_t i = 0; i + 1 < op.begin.size(); ++i, out += lanes) {
    std::fill_n(out, lanes, static_cast<T>(0));
    for (std::int64_t t = op.begin[i]; t < op.begin[i + 1]; ++t) {
      const T* x = rows[op.source[t]];
      const T weight = static_cast<T>(op.weight[t]);
      each_lane(lanes, [=](auto k) { out[k] = std::fma(weight, x[k], out[k]); });
    }
  }
}

template void forward(const Rearrange&, std::span<const View<float>>, const Shape&, float*, int);
template void forward(const Rearrange&, std::span<const View<double>>, const Shape&, double*, int);
template void forward(const SparseLinear&, std::span<const View<float>>, const Shape&, float*, int);
template void forward(const SparseLinear&, std::span<const View<double>>, const Shape&, double*,
                      int);

}  // namespace flipscope
