// Affine operators: a difference recomputes what it reaches, or is added to exact sums.
#include <algorithm>
#include <optional>

#include "flipscope/engine/difference.h"
#include "flipscope/engine/difference_pass.h"
#include "flipscope/ops/convolution.h"
#include "flipscope/ops/dot.h"
#include "flipscope/ops/matrix_product.h"

namespace flipscope {
namespace {

/// New minus old of the changed blocks of an input, side by side.
const float* change_of(const Pass& pass, int value, const std::vector<std::int64_t>& blocks,
                       std::int64_t size) {
  const std::int64_t numbers = size * pass.lanes;
  float* change = pass.work.scratch(0, blocks.size() * numbers);
  float* to = change;
  for (std::int64_t block : blocks) {
    const float* now = pass.work.at(value) + block * numbers;
    const float* then = pass.work.golden(value) + block * numbers;
    for (std::int64_t i = 0; i < numbers; ++i) to[i] = now[i] - then[i];
    to += numbers;
  }
  return change;
}

/// Sums to outputs, for channels [first, last) of `plane` elements each.
void rescale_channels(const Pass& pass, const float* sums, std::int64_t first, std::int64_t last,
                      std::int64_t plane, float* out) {
  const std::vector<double>& scale = accumulation(pass.node.op)->rescale;
  for (std::int64_t c = first; c < last; ++c) {
    rescale_row(scale[scale.size() == 1 ? 0 : c], sums + c * plane * pass.lanes, plane * pass.lanes,
                out + c * plane * pass.lanes);
  }
}

/// The output channel that reads a struck constant, where it is one.
std::optional<std::int64_t> channel_reading(const Pass& pass, const Workspace::Patch& patch) {
  std::optional<std::int64_t> channel;
  for (std::size_t k = 0; k < pass.node.inputs.size(); ++k) {
    const Input& input = pass.node.inputs[k];
    if (input.kind != Input::Kind::constant || input.id != patch.constant) continue;
    if (k == 0 || channel) return {};
    const Shape& shape = input.shape;
    if (std::holds_alternative<Convolution>(pass.node.op)) {
      channel = k == 2 ? patch.element : patch.element / strides_of(shape)[0];
    } else if (const auto* op = std::get_if<TransposedConvolution>(&pass.node.op)) {
      const Shape strides = strides_of(shape);
      const std::int64_t in_group = shape[0] / op->groups;
      channel = k == 2 ? patch.element
                       : patch.element / strides[0] / in_group * shape[1] +
                             patch.element / strides[1] % shape[1];
    } else if (std::holds_alternative<MatrixProduct>(pass.node.op) && shape.size() < 3 &&
               shape.back() == pass.out_shape.back()) {
      channel = patch.element % shape.back();
    } else {
      return {};
    }
  }
  return channel;
}

/// Adds the effect of one struck weight or bias to the exact sums of the channel that reads it.
void add_patch(const Pass& pass, const Workspace::Patch& patch, float* sum) {
  const float now = pass.work.program().constants[patch.constant][patch.element];
  const float change = now - patch.narrow;
  const std::int64_t plane =
      std::holds_alternative<Convolution>(pass.node.op) ? strides_of(pass.out_shape)[1] : 1;
  const bool is_bias = pass.node.inputs.size() > 2 && pass.node.inputs[2].id == patch.constant &&
                       pass.node.inputs[2].kind == Input::Kind::constant;
  if (is_bias) {
    for (std::int64_t i = 0; i < plane * pass.lanes; ++i) sum[i] += change;
    return;
  }
  const Input& x = pass.node.inputs[0];
  if (const auto* conv = std::get_if<Convolution>(&pass.node.op)) {
    add_weight_change(*conv, View<float>{pass.work.at(x.id), &x.shape}, pass.node.inputs[1].shape,
                      pass.out_shape, patch.element, change, sum, pass.lanes);
    return;
  }
  const std::int64_t columns = pass.node.inputs[1].shape.back();
  const float* read = pass.work.at(x.id) + patch.element / columns * pass.lanes;
  for (int lane = 0; lane < pass.lanes; ++lane) sum[lane] += change * read[lane];
}

/// One output channel (or column) of an affine operator.
void forward_channel(const Op& op, const std::vector<View<float>>& inputs, const Shape& out_shape,
                     float* out, int lanes, std::int64_t c) {
  if (const auto* conv = std::get_if<Convolution>(&op)) {
    forward_channels<float>(*conv, inputs, out_shape, out, lanes, c, c + 1);
  } else if (const auto* transposed = std::get_if<TransposedConvolution>(&op)) {
    forward_channels<float>(*transposed, inputs, out_shape, out, lanes, c, c + 1);
  } else {
    forward_channels<float>(std::get<MatrixProduct>(op), inputs, out_shape, out, lanes, c, c + 1);
  }
}

}  // namespace

bool added_inputs(const Pass& pass) {
  if (!adds_exactly(pass.node.op) || pass.node.inputs[1].kind != Input::Kind::constant)
    return false;
  if (pass.node.inputs.size() > 2 && pass.node.inputs[2].kind == Input::Kind::value) return false;
  const Input& x = pass.node.inputs[0];
  const View<float> w{pass.work.program().constants[pass.node.inputs[1].id].data(),
                      &pass.node.inputs[1].shape, true, nullptr};
  const Ranges& changed = pass.work.changed(x.id);
  float* sums = pass.work.scratch(1, pass.out_count() * pass.lanes);
  if (const auto* conv = std::get_if<Convolution>(&pass.node.op)) {
    if (conv->groups != 1 || x.shape[0] != 1) return false;
    const std::int64_t plane = strides_of(x.shape)[1];
    const std::vector<std::int64_t> channels = blocks_met(changed, plane);
    const std::int64_t kernel = strides_of(*w.shape)[1];
    const auto terms = static_cast<std::int64_t>(channels.size()) * kernel;
    if (terms + 1 >= x.shape[1] * kernel) return false;
    const float* change = change_of(pass, x.id, channels, plane);
    add_change(*conv, x.shape, w, pass.out_shape, channels, change,
               pass.work.golden_sums(pass.index), sums, pass.lanes);
    rescale_channels(pass, sums, 0, pass.out_shape[1], strides_of(pass.out_shape)[1],
                     pass.whole_out());
  } else if (std::holds_alternative<MatrixProduct>(pass.node.op)) {
    const bool one_row = w.shape->size() == 2 && element_count(x.shape) == w.shape->front();
    if (!one_row) return false;
    const std::vector<std::int64_t> elements = blocks_met(changed, 1);
    if (static_cast<std::int64_t>(elements.size()) + 1 >= w.shape->front()) return false;
    const float* change = change_of(pass, x.id, elements, 1);
    add_change(w, elements, change, pass.work.golden_sums(pass.index), sums, pass.lanes);
    rescale_channels(pass, sums, 0, w.shape->back(), 1, pass.whole_out());
  } else {
    return false;
  }
  pass.work.note_changes(pass.node.output, {{0, pass.out_count()}});
  return true;
}

bool some_positions(const Pass& pass) {
  const auto* conv = std::get_if<Convolution>(&pass.node.op);
  const Input& x = pass.node.inputs[0];
  if (!conv || x.shape[0] != 1 || !is_changed(pass, x)) return false;
  for (std::size_t k = 1; k < pass.node.inputs.size(); ++k) {
    if (is_changed(pass, pass.node.inputs[k])) return false;
  }
  const auto planes = [](const Shape& shape) {
    return blocks_met({{0, element_count(shape)}}, strides_of(shape)[1]);
  };
  const Positions places = places_met(pass.work.changed(x.id), strides_of(x.shape)[1]);
  const Positions positions =
      affected_positions(*conv, x.shape, pass.node.inputs[1].shape, pass.out_shape, places);
  const std::int64_t plane = strides_of(pass.out_shape)[1];
  if (4 * std::ssize(positions) > 3 * plane) return false;
  const std::int64_t in_plane = strides_of(x.shape)[1];
  const Positions read =
      places_read(*conv, x.shape, pass.node.inputs[1].shape, pass.out_shape, positions);
  pass.work.ask(x.id, at_places(planes(x.shape), in_plane, read));
  float* out = pass.out();
  forward_positions(*conv, pass.work.views_of_rows(pass.node), pass.out_shape, out, pass.lanes,
                    positions);
  pass.work.note_changes(pass.node.output, at_places(planes(pass.out_shape), plane, positions));
  return true;
}

bool struck_channels(const Pass& pass, const std::vector<int>& struck) {
  std::vector<std::pair<std::int64_t, int>> by_channel;
  for (int k : struck) {
    const auto channel = channel_reading(pass, pass.work.patches()[k]);
    if (!channel) return false;
    by_channel.emplace_back(*channel, k);
  }
  std::sort(by_channel.begin(), by_channel.end());

  const auto* conv = std::get_if<Convolution>(&pass.node.op);
  const auto* product = std::get_if<MatrixProduct>(&pass.node.op);
  const Shape& x_shape = pass.node.inputs[0].shape;
  const bool one_row = product && element_count(pass.out_shape) == pass.out_shape.back() &&
                       pass.node.inputs[1].shape.size() == 2;
  const bool adds = adds_exactly(pass.node.op) && ((conv && x_shape[0] == 1) || one_row);
  const std::int64_t batch_planes = product ? 1 : strides_of(pass.out_shape)[1];
  float* out = pass.out();
  const std::vector<View<float>> inputs = pass.work.views(pass.node);
  Ranges reached;
  for (std::size_t i = 0; i < by_channel.size();) {
    const std::int64_t c = by_channel[i].first;
    std::size_t end = i;
    while (end < by_channel.size() && by_channel[end].first == c) ++end;
    if (adds) {
      const std::int64_t numbers = batch_planes * pass.lanes;
      float* sum = pass.work.scratch(1, pass.out_count() * pass.lanes);
      std::copy_n(pass.work.golden_sums(pass.index) + c * numbers, numbers, sum + c * numbers);
      for (std::size_t k = i; k < end; ++k) {
        add_patch(pass, pass.work.patches()[by_channel[k].second], sum + c * numbers);
      }
      rescale_channels(pass, sum, c, c + 1, batch_planes, out);
    } else {
      forward_channel(pass.node.op, inputs, pass.out_shape, out, pass.lanes, c);
    }
    if (adds || (!product && pass.out_shape[0] == 1)) {
      append(reached, {c * batch_planes, (c + 1) * batch_planes});
    } else {
      reached = {{0, pass.out_count()}};
    }
    i = end;
  }
  pass.work.note_changes(pass.node.output, reached);
  return true;
}

void forward_output(const Node& node, const std::vector<View<float>>& inputs,
                    const Shape& out_shape, std::int64_t output, float* out, int lanes) {
  if (const auto* product = std::get_if<MatrixProduct>(&node.op)) {
    const std::int64_t c = output % out_shape.back();
    forward_channels<float>(*product, inputs, out_shape, out, lanes, c, c + 1);
    return;
  }
  const std::int64_t plane = strides_of(out_shape)[1];
  const std::int64_t c = output / plane % out_shape[1], position = output % plane;
  if (const auto* conv = std::get_if<Convolution>(&node.op)) {
    forward_element(*conv, inputs, out_shape, out, lanes, c, position);
  } else {
    forward_element(std::get<TransposedConvolution>(node.op), inputs, out_shape, out, lanes, c,
                    position);
  }
}

}  // namespace flipscope
