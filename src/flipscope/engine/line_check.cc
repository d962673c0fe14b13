#include "flipscope/engine/line_check.h"

#include <algorithm>
#include <limits>

namespace flipscope {
namespace {

using Lanes = std::vector<std::uint8_t>;

/// Calls bad(golden, now) for every changed element of a value in every lane.
template <typename Bad>
void each_change(Workspace& work, int value, Lanes& on, Bad bad) {
  const float* now = work.at(value);
  const float* golden = work.golden(value);
  const std::int64_t lanes = work.block().lanes;
  for (const Range& range : work.changed(value)) {
    for (std::int64_t e = range.first; e < range.last; ++e) {
      const float* a = golden + e * lanes;
      const float* b = now + e * lanes;
      for (std::int64_t lane = 0; lane < lanes; ++lane) {
        on[lane] = static_cast<std::uint8_t>(on[lane] & !bad(a[lane], b[lane]));
      }
    }
  }
}

/// The pieces of a function that bends at `low` and `high`.
void same_pieces(Workspace& work, int value, float low, float high, Lanes& on) {
  each_change(work, value, on, [low, high](float a, float b) {
    return (a > low) != (b > low) || (a > high) != (b > high) || b != b;
  });
}

void unary(Workspace& work, const Node& node, const Unary& op, Lanes& on) {
  constexpr float kNever = std::numeric_limits<float>::infinity();
  const int x = node.inputs[0].id;
  switch (op.function) {
    case UnaryFunction::identity:
    case UnaryFunction::negative:
      return;
    case UnaryFunction::relu:
    case UnaryFunction::leaky_relu:
    case UnaryFunction::abs:
      return same_pieces(work, x, 0, kNever, on);
    case UnaryFunction::clip:
      return same_pieces(work, x, static_cast<float>(op.alpha), static_cast<float>(op.beta), on);
    case UnaryFunction::sigmoid:
    case UnaryFunction::tanh:
    case UnaryFunction::softplus:
    case UnaryFunction::sign:
    case UnaryFunction::round_half_even:
      return keep_unchanged(work, node.output, on);
    default:
      return keep_unchanged(work, x, on);
  }
}

/// A window's maximum stays on the line where one element is the largest at both ends.
void maximum(Workspace& work, const Node& node, const Pooling& op, Lanes& on) {
  const int x = node.inputs[0].id;
  const Shape& in = node.inputs[0].shape;
  const Shape& out = work.graph().values[node.output].shape;
  const std::size_t rank = in.size() - 2;
  const std::int64_t in_plane = strides_of(in)[1], out_plane = strides_of(out)[1];
  const std::int64_t lanes = work.block().lanes;
  const float* golden = work.golden(x);
  const float* now = work.at(x);
  const float* before = work.golden(node.output);
  const float* after = work.at(node.output);
  std::vector<std::int64_t> places;
  Lanes one(lanes);
  for (const std::int64_t channel : blocks_met(work.changed(x), in_plane)) {
    for (std::int64_t p = 0; p < out_plane; ++p) {
      places.assign(1, 0);
      std::int64_t rest = p, stride = 1;
      for (std::size_t a = rank; a-- > 0;) {
        const std::int64_t at = rest % out[a + 2];
        rest /= out[a + 2];
        std::vector<std::int64_t> more;
        for (std::int64_t k = 0; k < op.kernel[a]; ++k) {
          const std::int64_t i = at * op.stride[a] + k * op.dilation[a] - op.pad_begin[a];
          if (i < 0 || i >= in[a + 2]) continue;
          for (const std::int64_t place : places) more.push_back(place + i * stride);
        }
        places = std::move(more);
        stride *= in[a + 2];
      }
      std::fill(one.begin(), one.end(), std::uint8_t{0});
      const std::int64_t o = (channel * out_plane + p) * lanes;
      for (const std::int64_t place : places) {
        const std::int64_t i = (channel * in_plane + place) * lanes;
        for (std::int64_t lane = 0; lane < lanes; ++lane) {
          one[lane] |= static_cast<std::uint8_t>(golden[i + lane] == before[o + lane] &&
                                                 now[i + lane] == after[o + lane]);
        }
      }
      for (std::int64_t lane = 0; lane < lanes; ++lane) on[lane] &= one[lane];
    }
  }
}

int changed_inputs(const Workspace& work, const Node& node) {
  return static_cast<int>(std::ranges::count_if(node.inputs, [&](const Input& input) {
    return input.kind == Input::Kind::value && !work.changed(input.id).empty();
  }));
}

void leave(Workspace& work, const Node& node, Lanes& on) {
  for (const Input& input : node.inputs) {
    if (input.kind == Input::Kind::value) keep_unchanged(work, input.id, on);
  }
}

void binary(Workspace& work, const Node& node, const Binary& op, Lanes& on) {
  const bool first_only = changed_inputs(work, node) == 1 &&
                          node.inputs[0].kind == Input::Kind::value &&
                          !work.changed(node.inputs[0].id).empty();
  switch (op.function) {
    case BinaryFunction::add:
    case BinaryFunction::subtract:
      return;
    case BinaryFunction::multiply:
      if (changed_inputs(work, node) > 1) leave(work, node, on);
      return;
    case BinaryFunction::divide:
      if (!first_only) leave(work, node, on);
      return;
    case BinaryFunction::prelu:
      if (!first_only) return leave(work, node, on);
      return same_pieces(work, node.inputs[0].id, 0, std::numeric_limits<float>::infinity(), on);
    default:
      return leave(work, node, on);
  }
}

}  // namespace

void keep_unchanged(Workspace& work, int value, Lanes& on) {
  if (work.changed(value).empty()) return;
  each_change(work, value, on, [](float a, float b) { return !(a == b); });
}

void keep_lines(Workspace& work, const Node& node, Lanes& on) {
  const int changed = changed_inputs(work, node);
  if (changed == 0 || std::ranges::find(on, 1) == on.end()) return;
  const Op& op = node.op;
  const auto* pooling = std::get_if<Pooling>(&op);
  const auto* reduce = std::get_if<Reduce>(&op);
  const bool affine = std::holds_alternative<Convolution>(op) ||
                      std::holds_alternative<TransposedConvolution>(op) ||
                      std::holds_alternative<MatrixProduct>(op);
  const bool linear =
      std::holds_alternative<BatchNormalization>(op) || std::holds_alternative<Rearrange>(op) ||
      std::holds_alternative<SparseLinear>(op) || std::holds_alternative<Dequantize>(op) ||
      (pooling && pooling->kind == Pooling::Kind::average) ||
      (reduce &&
       (reduce->function == ReduceFunction::sum || reduce->function == ReduceFunction::mean));
  if (linear || (affine && changed == 1)) return;
  if (pooling && pooling->kind == Pooling::Kind::max && node.inputs[0].shape.size() > 2) {
    return maximum(work, node, *pooling, on);
  }
  if (const auto* function = std::get_if<Unary>(&op)) return unary(work, node, *function, on);
  if (const auto* function = std::get_if<Binary>(&op)) return binary(work, node, *function, on);
  if (std::holds_alternative<Quantize>(op)) return keep_unchanged(work, node.output, on);
  leave(work, node, on);
}

int decision_input(const Graph& graph) {
  const int output = graph.outputs[0];
  for (const Node& node : graph.nodes) {
    const auto* softmax = std::get_if<Softmax>(&node.op);
    if (!softmax || node.output != output || softmax->kind == Softmax::Kind::hardmax) continue;
    const Input& x = node.inputs[0];
    const std::int64_t axis = softmax->axis + (softmax->axis < 0 ? std::ssize(x.shape) : 0);
    // Of several groups, each is divided by a sum of its own.
    if (x.kind == Input::Kind::value && x.shape[axis] == element_count(x.shape)) return x.id;
  }
  return output;
}

}  // namespace flipscope
