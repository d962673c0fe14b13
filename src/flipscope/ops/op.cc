// Dispatch of the verbs over the kinds of operator.
#include "flipscope/ops/op.h"

#include <array>

#include "flipscope/ops/binary.h"
#include "flipscope/ops/convolution.h"
#include "flipscope/ops/matrix_product.h"
#include "flipscope/ops/normalization.h"
#include "flipscope/ops/pooling.h"
#include "flipscope/ops/quantize.h"
#include "flipscope/ops/rearrange.h"
#include "flipscope/ops/reduce.h"
#include "flipscope/ops/softmax.h"
#include "flipscope/ops/unary.h"

namespace flipscope {

const char* name(const Op& op) {
  static constexpr std::array kNames{"Convolution",
                                     "TransposedConvolution",
                                     "MatrixProduct",
                                     "Pooling",
                                     "Unary",
                                     "Binary",
                                     "Select",
                                     "Rearrange",
                                     "SparseLinear",
                                     "Reduce",
                                     "ArgReduce",
                                     "Softmax",
                                     "BatchNormalization",
                                     "Standardize",
                                     "LocalResponse",
                                     "Quantize",
                                     "Dequantize"};
  static_assert(kNames.size() == std::variant_size_v<Op>);
  return kNames[op.index()];
}

Shape output_shape(const Op& op, std::span<const Shape> inputs) {
  return std::visit([&](const auto& kind) { return output_shape(kind, inputs); }, op);
}

template <typename T>
void forward(const Op& op, std::span<const View<T>> inputs, const Shape& out_shape, T* out,
             int lanes) {
  std::visit([&](const auto& kind) { forward<T>(kind, inputs, out_shape, out, lanes); }, op);
}

template void forward(const Op&, std::span<const View<float>>, const Shape&, float*, int);
template void forward(const Op&, std::span<const View<double>>, const Shape&, double*, int);

}  // namespace flipscope
