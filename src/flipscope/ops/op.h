// The operators of a lowered graph, as values, and the verbs that every operator has.
//
// A graph runs one sample at a time in meaning and many in fact: shapes are those of the model file
// at batch size 1, and a runtime value is an array [element][lane] with one sample in each lane.
// Every operator has exactly one output; model files' richer nodes are composed of these.
#pragma once

#include <cstdint>
#include <span>
#include <variant>
#include <vector>

#include "flipscope/numeric/number_format.h"
#include "flipscope/numeric/tensor.h"

namespace flipscope {

/// What an affine operator sums in. Codes are integers, so where the proof of exactness holds the
/// order of the sum does not matter; float layers sum in canonical order in float32.
enum class Carrier { float32, float64 };

/// How the sum of an affine operator becomes its output. With an empty `rescale` the sum is the
/// output (float layers). Otherwise the sum is an integer of codes and the output is
/// float32(double(sum)·rescale[channel]), with one entry or one per output channel.
struct Accumulation {
  Carrier carrier = Carrier::float32;
  std::vector<double> rescale;
};

/// Convolution over any number of spatial axes. Inputs: x [N,C,spatial…], w [M,C/groups,kernel…],
/// optional b [M]. Canonical order of one output's sum: b, then input channel, then kernel
/// position, both in C order; padded taps are skipped; one fused multiply-add per term.
struct Convolution {
  std::vector<std::int64_t> stride, dilation, pad_begin, pad_end;
  std::int64_t groups = 1;
  Accumulation accumulation;
};

/// Transposed convolution. Inputs: x [N,C,spatial…], w [C,M/groups,kernel…], optional b [M].
/// Canonical order: as Convolution, over the taps that reach the output element.
struct TransposedConvolution {
  std::vector<std::int64_t> stride, dilation, pad_begin, pad_end, output_padding;
  std::int64_t groups = 1;
  Accumulation accumulation;
};

/// a [batch…,M,K] times b [batch…,K,N] with NumPy's broadcasting of the batch axes (and of
/// vectors), plus an optional addend that broadcasts to the output. Canonical order: addend, then k
/// upward.
struct MatrixProduct {
  Accumulation accumulation;
};

/// Pooling over the spatial axes of x [N,C,spatial…]. `output` holds the spatial output sizes,
/// which the importer computes (ceil modes differ between frameworks).
struct Pooling {
  enum class Kind { max, average, lp } kind = Kind::max;
  std::vector<std::int64_t> kernel, stride, dilation, pad_begin, output;
  bool count_padding =
      false;  ///< average: divide by the kernel's size, pads (not ceil overhang) included
  std::vector<std::int64_t> pad_end;
  double p = 2;  ///< lp: the norm's order
};

enum class UnaryFunction {
  abs,
  acos,
  acosh,
  asin,
  asinh,
  atan,
  atanh,
  ceil,
  celu,
  clip,
  cos,
  cosh,
  elu,
  erf,
  exp,
  floor,
  gelu,
  gelu_tanh,
  hard_sigmoid,
  hard_swish,
  identity,
  is_inf,
  is_nan,
  leaky_relu,
  log,
  logical_not,
  mish,
  negative,
  reciprocal,
  relu,
  round_half_even,
  selu,
  shrink,
  sigmoid,
  sign,
  silu,
  sin,
  sinh,
  softplus,
  softsign,
  sqrt,
  square,
  tan,
  tanh,
  thresholded_relu,
  truncate,
};

/// An element-wise function with up to two parameters, in the order of the ONNX attributes:
/// clip (min, max), celu (alpha), elu (alpha), hard_sigmoid (alpha, beta), leaky_relu (alpha),
/// selu (alpha, gamma), shrink (lambd, bias), thresholded_relu (alpha), is_inf (detect_negative,
/// detect_positive).
struct Unary {
  UnaryFunction function = UnaryFunction::identity;
  double alpha = 0, beta = 0;
};

enum class BinaryFunction {
  add,
  subtract,
  multiply,
  divide,
  divide_truncating,
  power,
  minimum,
  maximum,
  modulo_floor,
  modulo_truncate,
  equal,
  less,
  less_or_equal,
  greater,
  greater_or_equal,
  logical_and,
  logical_or,
  logical_xor,
  prelu,
};

/// An element-wise function of two inputs with NumPy's broadcasting. prelu(x, slope).
struct Binary {
  BinaryFunction function = BinaryFunction::add;
};

/// where(condition, a, b) with NumPy's broadcasting; a condition is true where it is not 0.
struct Select {};

/// Every movement of values as one table: output element i is element source[i] of the inputs laid
/// end to end, or `fill` where source[i] is −1. (Transpose, slice, pad, concat, split, expand,
/// nearest resize, depth-to-space …)
struct Rearrange {
  std::vector<std::int32_t> source;
  Shape shape;  ///< of the output
  double fill = 0;
};

/// A fixed sparse linear map (linear and cubic resizing): output i is the sum, in order, over
/// t in [begin[i], begin[i+1]) of weight[t]·x[source[t]], each term fused.
struct SparseLinear {
  std::vector<std::int64_t> begin;
  std::vector<std::int32_t> source;
  std::vector<float> weight;
  Shape shape;
};

enum class ReduceFunction {
  sum,
  mean,
  max,
  min,
  product,
  l1,
  l2,
  log_sum,
  log_sum_exp,
  sum_square
};

/// Reduction over `axes` (non-negative, sorted; empty: none), elements in C order.
struct Reduce {
  ReduceFunction function = ReduceFunction::sum;
  std::vector<std::int64_t> axes;
  bool keep_dims = true;
};

/// Index of the largest or smallest element along an axis, as a number.
struct ArgReduce {
  bool largest = true;
  std::int64_t axis = 0;
  bool keep_dims = true;
  bool select_last = false;
};

/// Softmax and relatives along an axis: exp(x − max)/Σ; log of it; or one at the (first) maximum.
struct Softmax {
  enum class Kind { softmax, log_softmax, hardmax } kind = Kind::softmax;
  std::int64_t axis = -1;
};

/// Batch normalization at inference, never folded. Inputs: x [N,C,…], scale, bias, mean, variance
/// (each [C]). y = fma(x − mean, scale/sqrt(variance + epsilon), bias).
struct BatchNormalization {
  double epsilon = 1e-5;
};

/// (x − mean)/sqrt(variance + epsilon) over the `axes` of each sample (layer, instance and group
/// normalization without their scale and bias).
struct Standardize {
  std::vector<std::int64_t> axes;
  double epsilon = 1e-5;
};

/// Local response normalization over channels, as ONNX defines it.
struct LocalResponse {
  std::int64_t size = 1;
  double alpha = 1e-4, beta = 0.75, bias = 1;
};

/// Real numbers to centered codes (decode(word) − zero_point), kept as float32. Scale and zero
/// point of the encoding are per tensor or along its axis.
struct Quantize {
  Encoding encoding;
  /// True (ONNX): round(x/scale) + zero_point; false (QONNX): round(clamp(x/scale + zero_point)).
  bool round_first = true;
};

/// Centered codes to real numbers: float32(double(code)·scale).
struct Dequantize {
  std::vector<double> scale;
  int axis = -1;
};

using Op = std::variant<Convolution, TransposedConvolution, MatrixProduct, Pooling, Unary, Binary,
                        Select, Rearrange, SparseLinear, Reduce, ArgReduce, Softmax,
                        BatchNormalization, Standardize, LocalResponse, Quantize, Dequantize>;

/// One input of an operator: `data` is [element][lane] for a runtime value, or [element] for a
/// constant, which is the same in every lane. An input that is left out has a null shape.
template <typename T>
struct View {
  const T* data = nullptr;
  const Shape* shape = nullptr;
  bool constant = false;
  const double* wide = nullptr;  ///< a constant's exact elements, for sums in float64

  /// Step from one element to the next, and from one lane to the next.
  std::int64_t step(int lanes) const { return constant ? 1 : lanes; }
};

/// Lanes are always a multiple of this many, so that no kernel has a ragged end.
inline constexpr int kLaneGroup = 16;

/// The operator's name as messages show it: "Convolution".
const char* name(const Op& op);

/// Shape of the output. Throws Error("[shape] …") where the inputs do not fit the operator.
Shape output_shape(const Op& op, std::span<const Shape> inputs);

/// All outputs of all lanes: out is [element][lane]. `lanes` is any positive number for T = double
/// (constant folding uses 1) and a multiple of kLaneGroup for T = float on the fast path.
/// T = float or double. For T = float the results are the canonical ones.
template <typename T>
void forward(const Op& op, std::span<const View<T>> inputs, const Shape& out_shape, T* out,
             int lanes);

}  // namespace flipscope
