#include "flipscope/engine/difference.h"

#include <algorithm>

#include "flipscope/engine/difference_pass.h"
#include "flipscope/ops/dot.h"
#include "flipscope/ops/pooling.h"

namespace flipscope {
namespace {

void everything(const Pass& pass) {
  float* out = pass.whole_out();
  forward<float>(pass.node.op, pass.work.views(pass.node), pass.out_shape, out, pass.lanes);
  pass.work.note_changes(pass.node.output, {{0, pass.out_count()}});
}

/// Elements [range) of an operator that treats every element on its own.
void some_elements(const Pass& pass, const Op& op, const std::vector<View<float>>& inputs,
                   const Range& range, float* out) {
  const Shape shape{range.last - range.first}, scalar{1};
  std::vector<View<float>> parts = inputs;
  for (View<float>& part : parts) {
    const bool one = part.constant && element_count(*part.shape) == 1;
    if (!one) part.data += range.first * (part.constant ? 1 : pass.lanes);
    part.shape = one ? &scalar : &shape;
  }
  forward<float>(op, parts, shape, out + range.first * pass.lanes, pass.lanes);
}

/// Element-wise operators without broadcasting, but for constants of one element.
bool elementwise(const Pass& pass) {
  const Op& op = pass.node.op;
  const auto* quantize = std::get_if<Quantize>(&op);
  const auto* dequantize = std::get_if<Dequantize>(&op);
  const bool kind = std::holds_alternative<Unary>(op) || std::holds_alternative<Binary>(op) ||
                    std::holds_alternative<Select>(op) ||
                    (quantize && quantize->encoding.scale.size() == 1 &&
                     quantize->encoding.zero_point.size() == 1) ||
                    (dequantize && dequantize->scale.size() == 1);
  if (!kind) return false;
  Ranges reached;
  for (const Input& input : pass.node.inputs) {
    const std::int64_t count = element_count(input.shape);
    const bool one = input.kind == Input::Kind::constant && count == 1;
    if (!one && count != pass.out_count()) return false;
    if (is_changed(pass, input)) reached = united(reached, pass.work.changed(input.id));
  }
  for (const Input& input : pass.node.inputs) {
    if (input.kind == Input::Kind::value) pass.work.ask(input.id, reached);
  }
  const std::vector<View<float>> inputs = pass.work.views_of_rows(pass.node);
  float* out = pass.out_for(reached);
  for (const Range& range : reached) some_elements(pass, op, inputs, range, out);
  pass.work.note_changes(pass.node.output, reached);
  return true;
}

/// Calls f(part) for the ranges of a set, cut at the ends of planes.
template <typename F>
void each_part_of_planes(const Ranges& set, std::int64_t plane, F f) {
  for (const Range& range : set) {
    for (std::int64_t from = range.first; from < range.last;) {
      const std::int64_t to = std::min(range.last, (from / plane + 1) * plane);
      f(Range{from, to});
      from = to;
    }
  }
}

/// Pooling of a batch of one, where windows meet the difference.
bool pooled(const Pass& pass) {
  const auto* op = std::get_if<Pooling>(&pass.node.op);
  if (!op || pass.out_shape[0] != 1) return false;
  const Input& x = pass.node.inputs[0];
  const std::int64_t in_plane = strides_of(x.shape)[1], out_plane = strides_of(pass.out_shape)[1];
  const Ranges& changed = pass.work.changed(x.id);
  const std::vector<std::int64_t> channels = blocks_met(changed, in_plane);
  const PoolingWindows windows = pooling_windows(*op, x.shape);
  const Positions met = windows_met(windows, places_met(changed, in_plane));
  pass.work.ask(x.id, at_places(channels, in_plane, taps_of(windows, met)));
  const Ranges reached = at_places(channels, out_plane, met);
  const float* from = pass.work.rows(x.id);
  float* out = pass.out_for(reached);
  for (const std::int64_t c : channels) {
    pool_windows(*op, windows, met, from + c * in_plane * pass.lanes,
                 out + c * out_plane * pass.lanes, pass.lanes);
  }
  pass.work.note_changes(pass.node.output, reached);
  return true;
}

/// Operators that treat every channel of a batch of one on its own, with constants per channel.
bool channelwise(const Pass& pass) {
  const Op& op = pass.node.op;
  const bool normalization = std::holds_alternative<BatchNormalization>(op);
  const auto* binary = std::get_if<Binary>(&op);
  if (!normalization && !binary) return false;
  const Shape& x_shape = pass.node.inputs[0].shape;
  if (x_shape.size() < 2 || x_shape[0] != 1 || pass.out_shape.size() != x_shape.size())
    return false;
  if (pass.node.inputs[0].kind != Input::Kind::value) return false;
  for (std::size_t k = 1; k < pass.node.inputs.size(); ++k) {
    const Input& input = pass.node.inputs[k];
    if (input.kind != Input::Kind::constant || element_count(input.shape) != x_shape[1]) {
      return false;
    }
    // As the operand of an element-wise operator the constant must lie along the channels.
    if (binary && (x_shape != pass.out_shape || input.shape.size() < x_shape.size() - 1 ||
                   input.shape[input.shape.size() - x_shape.size() + 1] != x_shape[1])) {
      return false;
    }
  }
  const std::int64_t plane = strides_of(x_shape)[1];
  const Ranges& changed = pass.work.changed(pass.node.inputs[0].id);
  pass.work.ask(pass.node.inputs[0].id, changed);
  const std::vector<View<float>> inputs = pass.work.views_of_rows(pass.node);
  float* out = pass.out_for(changed);
  each_part_of_planes(changed, plane, [&](const Range& part) {
    const std::int64_t c = part.first / plane;
    const Shape shape{1, 1, part.last - part.first}, scalar{1};
    std::vector<View<float>> parts = inputs;
    parts[0].data += part.first * pass.lanes;
    parts[0].shape = &shape;
    for (std::size_t k = 1; k < parts.size(); ++k) {
      parts[k].data += c;
      parts[k].wide += c;
      parts[k].shape = &scalar;
    }
    forward<float>(op, parts, shape, out + part.first * pass.lanes, pass.lanes);
  });
  pass.work.note_changes(pass.node.output, changed);
  return true;
}

bool movement(const Pass& pass) {
  const auto* move = std::get_if<Rearrange>(&pass.node.op);
  if (!move) return false;
  float* out = pass.out();
  Ranges reached;
  std::int64_t before = 0;
  for (const Input& input : pass.node.inputs) {
    const std::int64_t count = element_count(input.shape);
    if (is_changed(pass, input)) {
      const Ranges& changed = pass.work.changed(input.id);
      std::vector<bool> met(count, false);
      for (const Range& range : changed) {
        std::fill(met.begin() + range.first, met.begin() + range.last, true);
      }
      const float* from = pass.work.rows(input.id);
      Ranges here;
      for (std::size_t i = 0; i < move->source.size(); ++i) {
        const std::int64_t at = move->source[i] - before;
        if (at < 0 || at >= count || !met[at]) continue;
        const auto element = static_cast<std::int64_t>(i);
        std::copy_n(from + at * pass.lanes, pass.lanes, out + element * pass.lanes);
        append(here, {element, element + 1});
      }
      reached = united(reached, here);
    }
    before += count;
  }
  pass.work.note_changes(pass.node.output, reached);
  return true;
}

}  // namespace

void pass_difference(Workspace& work, int index, const std::vector<int>& struck) {
  const Node& node = work.graph().nodes[index];
  const Pass pass{work, node, index, work.graph().values[node.output].shape, work.lanes()};
  const bool inputs_changed =
      std::any_of(node.inputs.begin(), node.inputs.end(),
                  [&](const Input& input) { return is_changed(pass, input); });
  if (!struck.empty()) {
    if (inputs_changed || !accumulation(node.op) || !struck_channels(pass, struck))
      everything(pass);
    return;
  }
  if (!inputs_changed) return;
  if (elementwise(pass) || channelwise(pass) || pooled(pass) || movement(pass)) return;
  if (some_positions(pass)) return;
  if (accumulation(node.op) && added_inputs(pass)) return;
  everything(pass);
}

}  // namespace flipscope
