#include "flipscope/engine/line_check.h"

#include <algorithm>
#include <bit>
#include <limits>

#include "flipscope/ops/pooling.h"
#include "flipscope/ops/rows.h"

namespace flipscope {
namespace {

using Lanes = std::vector<std::uint8_t>;

/// What lanes are found to be, in words as wide as their numbers, so that loops over lanes are
/// vectorised.
using Found = std::vector<std::int32_t>;

/// 1 where the bits differ.
std::int32_t differs(float a, float b) {
  return static_cast<std::int32_t>(std::bit_cast<std::uint32_t>(a) !=
                                   std::bit_cast<std::uint32_t>(b));
}

/// Takes lanes where bad(golden, now) holds for an element that they change off the line. (Elements
/// that other lanes change say nothing of them: those may be runs of other errors.)
template <typename Bad>
void each_change(Workspace& work, int value, Lanes& on, Bad bad) {
  const float* now = work.rows(value);
  const std::int64_t lanes = work.lanes();
  Found left(lanes, 0);
  std::int32_t* const to = left.data();
  for (const Range& range : work.changed(value)) {
    for (std::int64_t e = range.first; e < range.last; ++e) {
      const float* a = work.golden_row(value, e);
      const float* b = now + e * lanes;
      each_lane(lanes, [=](auto l) {
        to[l] |= static_cast<std::int32_t>(bad(a[l], b[l])) & differs(a[l], b[l]);
      });
    }
  }
  for (std::int64_t l = 0; l < lanes; ++l) on[l] &= static_cast<std::uint8_t>(left[l] == 0);
}

/// The pieces of a function that bends at `low` and `high`.
void same_pieces(Workspace& work, int value, float low, float high, Lanes& on) {
  each_change(work, value, on, [low, high](float a, float b) {
    return ((a > low) != (b > low)) | ((a > high) != (b > high)) | (b != b);
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

/// A window's maximum stays on the line where one element is the largest at both ends, or nothing
/// of it changes.
void maximum(Workspace& work, const Node& node, const Pooling& op, Lanes& on) {
  const int x = node.inputs[0].id;
  const Shape& in = node.inputs[0].shape;
  const std::int64_t in_plane = strides_of(in)[1];
  const std::int64_t out_plane = strides_of(work.graph().values[node.output].shape)[1];
  const std::int64_t lanes = work.lanes();
  const PoolingWindows windows = pooling_windows(op, in);
  const std::vector<std::int64_t> channels = blocks_met(work.changed(x), in_plane);
  const Positions met = windows_met(windows, places_met(work.changed(x), in_plane));
  work.ask(x, at_places(channels, in_plane, taps_of(windows, met)));
  work.ask(node.output, at_places(channels, out_plane, met));
  const float* now = work.rows(x);
  const float* after = work.rows(node.output);
  Found all(lanes, 1), one(lanes), any(lanes);
  std::int32_t* const kept = all.data();
  std::int32_t* const found = one.data();
  std::int32_t* const changed = any.data();
  for (const std::int64_t c : channels) {
    for (const std::int32_t p : met) {
      const float* b0 = work.golden_row(node.output, c * out_plane + p, 1);
      const float* b1 = after + (c * out_plane + p) * lanes;
      std::fill(one.begin(), one.end(), 0);
      each_lane(lanes, [=](auto l) { changed[l] = differs(b0[l], b1[l]); });
      for (std::int64_t t = windows.begin[p]; t < windows.begin[p + 1]; ++t) {
        const std::int64_t place = c * in_plane + windows.taps[t];
        const float* a0 = work.golden_row(x, place);
        const float* a1 = now + place * lanes;
        each_lane(lanes, [=](auto l) {
          found[l] |= static_cast<std::int32_t>((a0[l] == b0[l]) & (a1[l] == b1[l]));
          changed[l] |= differs(a0[l], a1[l]);
        });
      }
      each_lane(lanes, [=](auto l) { kept[l] &= found[l] | (1 - changed[l]); });
    }
  }
  for (std::int64_t l = 0; l < lanes; ++l) on[l] &= static_cast<std::uint8_t>(all[l]);
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

/// Takes lanes that change more than one input off the line.
void one_input_only(Workspace& work, const Node& node, Lanes& on) {
  if (changed_inputs(work, node) < 2) return;
  Lanes moved(on.size(), 0);
  for (const Input& input : node.inputs) {
    if (input.kind != Input::Kind::value) continue;
    Lanes same(on.size(), 1);
    keep_unchanged(work, input.id, same);
    for (std::size_t l = 0; l < on.size(); ++l) {
      if (same[l] != 0) continue;
      if (moved[l] != 0) on[l] = 0;
      moved[l] = 1;
    }
  }
}

void binary(Workspace& work, const Node& node, const Binary& op, Lanes& on) {
  const auto keep_second = [&] {
    if (node.inputs[1].kind == Input::Kind::value) keep_unchanged(work, node.inputs[1].id, on);
  };
  switch (op.function) {
    case BinaryFunction::add:
    case BinaryFunction::subtract:
      return;
    case BinaryFunction::multiply:
      return one_input_only(work, node, on);
    case BinaryFunction::divide:
      return keep_second();
    case BinaryFunction::prelu:
      keep_second();
      if (node.inputs[0].kind != Input::Kind::value) return;
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
  if (changed_inputs(work, node) == 0 || std::ranges::find(on, 1) == on.end()) return;
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
  if (linear) return;
  if (affine) return one_input_only(work, node, on);
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
