// ONNX's operators that move elements axis by axis: transposing, slicing, padding, repeating.
#include <algorithm>
#include <numeric>

#include "flipscope/model/onnx_operators.h"

namespace flipscope {
namespace {

using Symbols = std::vector<Symbol>;

// Every axis as it is.
AxisOffsets stay(const Shape& shape) {
  bounded_count(shape);
  const Shape strides = strides_of(shape);
  AxisOffsets offsets(shape.size());
  for (std::size_t k = 0; k < shape.size(); ++k) {
    for (std::int64_t i = 0; i < shape[k]; ++i) offsets[k].push_back(i * strides[k]);
  }
  return offsets;
}

Symbols transposition(OnnxCall& call) {
  const std::int64_t rank = call.rank(0);
  std::vector<std::int64_t> order(static_cast<std::size_t>(rank));
  std::iota(order.rbegin(), order.rend(), 0);
  order = call.integers("perm", order);
  if (static_cast<std::int64_t>(order.size()) != rank) {
    OnnxCall::refuse("perm has {} axes, the input has {}", order.size(), rank);
  }
  OnnxCall::axes(order, rank);
  for (auto& axis : order) axis = OnnxCall::axis(axis, rank);
  call.output_zero_point = call.zero_points[0];
  return {transpose(call, call.in(0), order)};
}

Symbols slice(OnnxCall& call) {
  const Symbol& x = call.in(0);
  const std::int64_t rank = call.rank(0);
  const auto starts = call.integers_or_input("starts", 1);
  const auto ends = call.integers_or_input("ends", 2);
  auto axes = call.integers_or_input("axes", 3);
  const auto steps = call.has(4) ? call.constant_integers(4, "steps")
                                 : std::vector<std::int64_t>(starts ? starts->size() : 0, 1);
  if (!starts || !ends) OnnxCall::refuse("starts and ends are missing");
  if (!axes) {
    axes.emplace(starts->size());
    std::iota(axes->begin(), axes->end(), 0);
  }
  if (ends->size() != starts->size() || axes->size() != starts->size() ||
      steps.size() != starts->size()) {
    OnnxCall::refuse("starts, ends, axes and steps differ in length");
  }
  OnnxCall::axes(*axes, rank);
  AxisOffsets offsets = stay(x.shape);
  const Shape strides = strides_of(x.shape);
  for (std::size_t n = 0; n < starts->size(); ++n) {
    const std::int64_t axis = OnnxCall::axis((*axes)[n], rank);
    const std::int64_t size = x.shape[axis], step = steps[n];
    if (step == 0) OnnxCall::refuse("a step is 0");
    const auto place = [&](std::int64_t value) {
      const std::int64_t positive = value < 0 ? value + size : value;
      return step > 0 ? std::clamp<std::int64_t>(positive, 0, size)
                      : std::clamp<std::int64_t>(positive, -1, size - 1);
    };
    const std::int64_t end = place((*ends)[n]);
    offsets[axis].clear();
    for (std::int64_t i = place((*starts)[n]); step > 0 ? i < end : i > end; i += step) {
      offsets[axis].push_back(i * strides[axis]);
    }
  }
  call.output_zero_point = call.zero_points[0];
  return {move_axes(call, x, offsets)};
}

Symbols split(OnnxCall& call) {
  const Symbol& x = call.in(0);
  const std::int64_t axis = OnnxCall::axis(call.integer("axis", 0), call.rank(0));
  const std::int64_t size = x.shape[axis];
  const auto outputs = static_cast<std::int64_t>(call.node.outputs.size());
  const std::int64_t parts = call.integer("num_outputs", outputs);
  auto sizes = call.integers_or_input("split", 1);
  if (!sizes) {
    if (parts < 1 || parts > std::max<std::int64_t>(outputs, 1)) {
      OnnxCall::refuse("num_outputs is {} for {} outputs", parts, outputs);
    }
    const std::int64_t each = (size + parts - 1) / parts;
    sizes.emplace();
    for (std::int64_t rest = size, n = 0; n < parts; ++n) {
      sizes->push_back(std::min(each, rest));
      rest -= sizes->back();
    }
  }
  Symbols results;
  std::int64_t first = 0;
  const std::int64_t stride = strides_of(x.shape)[axis];
  for (const std::int64_t part : *sizes) {
    if (part < 0 || part > size - first) OnnxCall::refuse("the parts do not add up to {}", size);
    AxisOffsets offsets = stay(x.shape);
    offsets[axis].clear();
    for (std::int64_t i = 0; i < part; ++i) offsets[axis].push_back((first + i) * stride);
    results.push_back(move_axes(call, x, offsets));
    first += part;
  }
  if (first != size) OnnxCall::refuse("the parts do not add up to {}", size);
  call.output_zero_point = call.zero_points[0];
  return results;
}

// Where the element at place i (possibly outside) of an axis comes from; −1: filled.
std::int64_t padded_place(const std::string& mode, std::int64_t i, std::int64_t size) {
  if (i >= 0 && i < size) return i;
  if (mode == "constant" || size == 0) return -1;
  if (mode == "edge") return i < 0 ? 0 : size - 1;
  if (mode == "wrap") return (i % size + size) % size;
  const std::int64_t period = std::max<std::int64_t>(2 * (size - 1), 1);
  const std::int64_t place = (i % period + period) % period;
  return place < size ? place : period - place;
}

Symbols pad(OnnxCall& call) {
  const Symbol& x = call.in(0);
  const std::string mode = call.text("mode", "constant");
  if (mode != "constant" && mode != "edge" && mode != "wrap" && mode != "reflect") {
    OnnxCall::refuse("mode must be constant, edge, reflect or wrap, not \"{}\"", mode);
  }
  const auto pads = call.has_attribute("paddings") ? call.integers("paddings")
                                                   : call.integers_or_input("pads", 1);
  if (!pads) OnnxCall::refuse("pads are missing");
  const double fill =
      call.has(2) ? call.constant_scalar(2, "constant_value") : call.number("value", 0);
  std::vector<std::int64_t> axes(x.shape.size());
  std::iota(axes.begin(), axes.end(), 0);
  if (call.has(3)) axes = call.constant_integers(3, "axes");
  OnnxCall::axes(axes, call.rank(0));
  if (pads->size() != 2 * axes.size()) {
    OnnxCall::refuse("pads has {} entries, it needs {}", pads->size(), 2 * axes.size());
  }
  AxisOffsets offsets = stay(x.shape);
  const Shape strides = strides_of(x.shape);
  Shape result = x.shape;
  for (std::size_t n = 0; n < axes.size(); ++n) {
    const std::int64_t axis = OnnxCall::axis(axes[n], call.rank(0));
    result[axis] += (*pads)[n] + (*pads)[n + axes.size()];
    if (result[axis] < 0) OnnxCall::refuse("negative pads leave nothing of axis {}", axis);
  }
  bounded_count(result);
  for (std::size_t n = 0; n < axes.size(); ++n) {
    const std::int64_t axis = OnnxCall::axis(axes[n], call.rank(0));
    offsets[axis].clear();
    for (std::int64_t i = 0; i < result[axis]; ++i) {
      const std::int64_t place = padded_place(mode, i - (*pads)[n], x.shape[axis]);
      offsets[axis].push_back(place < 0 ? -1 : place * strides[axis]);
    }
  }
  return {move_axes(call, x, offsets, fill)};
}

// Every axis of x, with leading ones, repeated up to a size.
Symbol repeat(OnnxCall& call, const Symbol& x, const Shape& shape) {
  bounded_count(shape);
  bounded_count(x.shape);
  Shape source = x.shape;
  source.insert(source.begin(), shape.size() - source.size(), 1);
  const Shape strides = strides_of(source);
  AxisOffsets offsets(shape.size());
  for (std::size_t k = 0; k < shape.size(); ++k) {
    for (std::int64_t i = 0; i < shape[k]; ++i) {
      offsets[k].push_back(i % source[k] * strides[k]);
    }
  }
  return move_axes(call, x, offsets);
}

Symbols expand(OnnxCall& call) {
  const Symbol& x = call.in(0);
  call.output_zero_point = call.zero_points[0];
  Shape shape = call.constant_integers(1, "the shape");
  // Of a batch of fixed size one sample is left.
  const bool batched = call.batch > 1 && !shape.empty() && shape[0] == call.batch &&
                       (x.shape.size() < shape.size() || x.shape[0] == 1);
  if (batched) shape[0] = 1;
  return {repeat(call, x, broadcast(x.shape, shape))};
}

Symbols tile(OnnxCall& call) {
  const Symbol& x = call.in(0);
  Shape shape = x.shape;
  auto repeats = call.constant_integers(1, "repeats");
  if (call.opset < 6 && call.has(2)) {
    const auto axis = static_cast<std::int64_t>(call.constant_scalar(2, "axis"));
    const std::int64_t tiles = repeats.at(0);
    repeats.assign(shape.size(), 1);
    repeats[OnnxCall::axis(axis, call.rank(0))] = tiles;
  }
  if (repeats.size() != shape.size()) {
    OnnxCall::refuse("repeats has {} entries, it needs {}", repeats.size(), shape.size());
  }
  for (std::size_t k = 0; k < shape.size(); ++k) {
    shape[k] = element_count({shape[k], repeats[k]});
  }
  call.output_zero_point = call.zero_points[0];
  return {repeat(call, x, shape)};
}

// The six axes that both directions of moving between depth and space transpose.
Symbols depth_to_space(OnnxCall& call) {
  const Symbol& x = call.in(0);
  const std::int64_t block = call.integer("blocksize", 0);
  const std::string mode = call.text("mode", "DCR");
  if (call.rank(0) != 4 || block < 1 || block > 1 << 15 || x.shape[1] % (block * block) != 0) {
    OnnxCall::refuse("blocksize {} does not fit {}", block, to_string(x.shape));
  }
  if (mode != "DCR" && mode != "CRD") OnnxCall::refuse("mode must be DCR or CRD");
  const std::int64_t n = x.shape[0], c = x.shape[1] / (block * block), h = x.shape[2],
                     w = x.shape[3];
  const bool depth_first = mode == "DCR";
  const Symbol split = call.builder.reshape(
      x, depth_first ? Shape{n, block, block, c, h, w} : Shape{n, c, block, block, h, w});
  const Symbol moved = transpose(call, split,
                                 depth_first ? std::vector<std::int64_t>{0, 3, 4, 1, 5, 2}
                                             : std::vector<std::int64_t>{0, 1, 4, 2, 5, 3});
  call.output_zero_point = call.zero_points[0];
  return {call.builder.reshape(moved, {n, c, h * block, w * block})};
}

Symbols space_to_depth(OnnxCall& call) {
  const Symbol& x = call.in(0);
  const std::int64_t block = call.integer("blocksize", 0);
  if (call.rank(0) != 4 || block < 1 || block > 1 << 15 || x.shape[2] % block != 0 ||
      x.shape[3] % block != 0) {
    OnnxCall::refuse("blocksize {} does not fit {}", block, to_string(x.shape));
  }
  const std::int64_t n = x.shape[0], c = x.shape[1], h = x.shape[2] / block, w = x.shape[3] / block;
  const Symbol split = call.builder.reshape(x, {n, c, h, block, w, block});
  const Symbol moved = transpose(call, split, {0, 3, 5, 1, 2, 4});
  call.output_zero_point = call.zero_points[0];
  return {call.builder.reshape(moved, {n, c * block * block, h, w})};
}

// The upper or lower triangle of the last two axes.
Symbols triangle(OnnxCall& call) {
  const Symbol& x = call.in(0);
  if (call.rank(0) < 2) OnnxCall::refuse("the input must be a matrix");
  const bool upper = call.integer("upper", 1) != 0;
  const double k = call.has(1) ? call.constant_scalar(1, "k") : 0;
  const std::int64_t rows = x.shape[x.shape.size() - 2], columns = x.shape.back();
  const std::int64_t count = bounded_count(x.shape);
  std::vector<std::int32_t> source;
  for (std::int64_t i = 0; i < count; ++i) {
    const auto above = static_cast<double>(i % columns - i / columns % rows);
    const bool kept = upper ? above >= k : above <= k;
    source.push_back(kept ? static_cast<std::int32_t>(i) : -1);
  }
  return {rearrange(call, {x}, std::move(source), x.shape)};
}

}  // namespace

void add_movement_operators(OnnxOperatorTable& table) {
  table["DepthToSpace"] = {depth_to_space, true};
  table["Expand"] = {expand, true};
  table["Pad"] = {pad};
  table["Slice"] = {slice, true};
  table["SpaceToDepth"] = {space_to_depth, true};
  table["Split"] = {split, true};
  table["Tile"] = {tile, true};
  table["Transpose"] = {transposition, true};
  table["Trilu"] = {triangle};
}

}  // namespace flipscope
