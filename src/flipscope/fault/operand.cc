// Operands: an activation as read by one output element. Numbered by output element, then by tap;
// taps that fall into the padding read nothing and have no number.
//
// A convolution's taps are a product over its axes, so both directions are mixed-radix arithmetic
// on the number of taps that each output position of each axis has.
#include <cassert>
#include <type_traits>

#include "flipscope/fault/fault_space.h"

namespace flipscope {
namespace {

/// Tap `kernel` of an axis reads position `input`.
struct AxisRead {
  std::int64_t kernel, input;
};

/// The reads of every output position of one axis: [position][tap that is not padding].
using AxisReads = std::vector<std::vector<AxisRead>>;

struct ConvolutionReads {
  std::int64_t batch = 1, out_channels = 0, in_channels = 0, groups = 1;
  std::vector<std::int64_t> kernel, in, out;
  std::vector<AxisReads> axes;
  std::vector<std::int64_t> axis_total;  ///< reads of all positions of an axis

  std::int64_t taps_per_channel() const { return in_channels / groups; }
};

template <typename Conv>
ConvolutionReads convolution_reads(const Graph& graph, const Node& node, const Conv& op) {
  constexpr bool kTransposed = std::is_same_v<Conv, TransposedConvolution>;
  const Shape& in = node.inputs[0].shape;
  const Shape& out = graph.values[node.output].shape;
  const Shape& kernel = node.inputs[1].shape;
  ConvolutionReads reads;
  reads.batch = in[0];
  reads.in_channels = in[1];
  reads.out_channels = out[1];
  reads.groups = op.groups;
  for (std::size_t a = 0; a + 2 < in.size(); ++a) {
    AxisReads axis(static_cast<std::size_t>(out[a + 2]));
    std::int64_t total = 0;
    for (std::int64_t o = 0; o < out[a + 2]; ++o) {
      for (std::int64_t k = 0; k < kernel[a + 2]; ++k) {
        std::int64_t i;
        if constexpr (kTransposed) {
          const std::int64_t scaled = o + op.pad_begin[a] - k * op.dilation[a];
          if (scaled < 0 || scaled % op.stride[a] != 0) continue;
          i = scaled / op.stride[a];
        } else {
          i = o * op.stride[a] - op.pad_begin[a] + k * op.dilation[a];
        }
        if (i >= 0 && i < in[a + 2]) axis[o].push_back({k, i});
      }
      total += static_cast<std::int64_t>(axis[o].size());
    }
    reads.axes.push_back(std::move(axis));
    reads.axis_total.push_back(total);
    reads.kernel.push_back(kernel[a + 2]);
    reads.in.push_back(in[a + 2]);
    reads.out.push_back(out[a + 2]);
  }
  return reads;
}

std::int64_t count(const ConvolutionReads& reads) {
  std::int64_t total = reads.batch * reads.out_channels * reads.taps_per_channel();
  for (const std::int64_t axis : reads.axis_total) total *= axis;
  return total;
}

OperandRead read(const ConvolutionReads& reads, std::int64_t index) {
  const std::size_t rank = reads.axes.size();
  std::int64_t rest = reads.taps_per_channel();  // Sites below the present choice.
  for (const std::int64_t axis : reads.axis_total) rest *= axis;
  const std::int64_t batch = index / rest / reads.out_channels;
  const std::int64_t channel = index / rest % reads.out_channels;
  index %= rest;
  std::vector<std::int64_t> position(rank);
  for (std::size_t a = 0; a < rank; ++a) {
    rest /= reads.axis_total[a];
    // `rest` counts the sites of one read of this axis; earlier axes have multiplied it by theirs.
    for (std::int64_t o = 0;; ++o) {
      const auto taps = static_cast<std::int64_t>(reads.axes[a][o].size());
      if (index < taps * rest) {
        position[a] = o;
        rest *= taps;
        break;
      }
      index -= taps * rest;
    }
  }
  OperandRead result;
  result.output = batch * reads.out_channels + channel;
  for (std::size_t a = 0; a < rank; ++a) {
    result.output = result.output * reads.out[a] + position[a];
  }
  std::int64_t taps = 1;
  for (std::size_t a = 0; a < rank; ++a) {
    taps *= static_cast<std::int64_t>(reads.axes[a][position[a]].size());
  }
  const std::int64_t tap_channel = index / taps;
  index %= taps;
  const std::int64_t group = channel / (reads.out_channels / reads.groups);
  result.input = batch * reads.in_channels + group * reads.taps_per_channel() + tap_channel;
  result.tap = tap_channel;
  for (std::size_t a = 0; a < rank; ++a) {
    const std::vector<AxisRead>& axis = reads.axes[a][position[a]];
    taps /= static_cast<std::int64_t>(axis.size());
    const AxisRead& r = axis[index / taps];
    index %= taps;
    result.input = result.input * reads.in[a] + r.input;
    result.tap = result.tap * reads.kernel[a] + r.kernel;
  }
  return result;
}

/// Length of the axis that a matrix product sums over.
std::int64_t summed_length(const Node& node) {
  return node.inputs[0].shape.back();
}

OperandRead read_product(const Graph& graph, const Node& node, std::int64_t index) {
  const int data = data_operand(node);
  const Shape& shape = node.inputs[data].shape;
  const Shape& out = graph.values[node.output].shape;
  const bool row = node.inputs[0].shape.size() > 1;     // The output has an axis m,
  const bool column = node.inputs[1].shape.size() > 1;  // and an axis n.
  const std::int64_t length = summed_length(node);
  OperandRead result{index / length, 0, index % length};

  std::int64_t rest = result.output;
  std::int64_t m = 0, n = 0;
  std::size_t batch_rank = out.size();
  if (column) {
    n = rest % out[batch_rank - 1];
    rest /= out[--batch_rank];
  }
  if (row) {
    m = rest % out[batch_rank - 1];
    rest /= out[--batch_rank];
  }
  if (shape.size() == 1) {
    result.input = result.tap;
    return result;
  }
  const std::int64_t rows = shape[shape.size() - 2], columns = shape.back();
  result.input = data == 0 ? m * columns + result.tap : result.tap * columns + n;
  std::int64_t step = rows * columns;
  for (std::size_t a = 0; a + 2 < shape.size(); ++a) {  // Batch axes, from the last.
    const std::int64_t own = shape[shape.size() - 3 - a];
    const std::int64_t length_out = out[batch_rank - 1 - a];
    if (own > 1) result.input += rest % length_out * step;
    rest /= length_out;
    step *= own;
  }
  return result;
}

}  // namespace

int data_operand(const Node& node) {
  return std::holds_alternative<MatrixProduct>(node.op) &&
                 node.inputs[0].kind == Input::Kind::constant
             ? 1
             : 0;
}

std::int64_t operand_count(const Graph& graph, int n) {
  const Node& node = graph.nodes[n];
  if (const auto* op = std::get_if<Convolution>(&node.op)) {
    return count(convolution_reads(graph, node, *op));
  }
  if (const auto* op = std::get_if<TransposedConvolution>(&node.op)) {
    return count(convolution_reads(graph, node, *op));
  }
  assert(std::holds_alternative<MatrixProduct>(node.op));
  return element_count(graph.values[node.output].shape) * summed_length(node);
}

double multiply_adds(const Graph& graph, int n) {
  return is_weighted(graph.nodes[n]) ? static_cast<double>(operand_count(graph, n)) : 0;
}

OperandRead operand_read(const Graph& graph, int n, std::int64_t index) {
  const Node& node = graph.nodes[n];
  if (const auto* op = std::get_if<Convolution>(&node.op)) {
    return read(convolution_reads(graph, node, *op), index);
  }
  if (const auto* op = std::get_if<TransposedConvolution>(&node.op)) {
    return read(convolution_reads(graph, node, *op), index);
  }
  assert(std::holds_alternative<MatrixProduct>(node.op));
  return read_product(graph, node, index);
}

}  // namespace flipscope
