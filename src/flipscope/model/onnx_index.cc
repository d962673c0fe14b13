// ONNX's operators that join tensors, or pick and place elements by constant indices.
#include <algorithm>
#include <numeric>

#include "flipscope/model/onnx_operators.h"

namespace flipscope {
namespace {

using Symbols = std::vector<Symbol>;

std::int64_t index(std::int64_t value, std::int64_t size) {
  if (value < -size || value >= size) {
    OnnxCall::refuse("index {} is out of range for {} elements", value, size);
  }
  return value < 0 ? value + size : value;
}

std::vector<std::int32_t> count_up(std::int64_t count) {
  std::vector<std::int32_t> source(static_cast<std::size_t>(count));
  std::iota(source.begin(), source.end(), 0);
  return source;
}

Symbols concat(OnnxCall& call) {
  // Codes stay codes where all inputs agree on the zero point.
  const bool agree = std::adjacent_find(call.zero_points.begin(), call.zero_points.end(),
                                        std::not_equal_to<>()) == call.zero_points.end();
  Symbols inputs;
  for (std::size_t i = 0; i < call.inputs.size(); ++i) {
    inputs.push_back(agree ? call.in(i) : call.decoded(i));
  }
  if (inputs.empty()) OnnxCall::refuse("there are no inputs");
  if (agree) call.output_zero_point = call.zero_points[0];
  const std::int64_t rank = call.rank(0);
  const std::int64_t axis = OnnxCall::axis(call.integer("axis", 1), rank);
  Shape shape = inputs[0].shape;
  shape[axis] = 0;
  for (const Symbol& input : inputs) {
    Shape expected = shape;
    if (static_cast<std::int64_t>(input.shape.size()) == rank) expected[axis] = input.shape[axis];
    if (input.shape != expected) {
      OnnxCall::refuse("{} does not fit {} along axis {}", to_string(input.shape),
                       to_string(inputs[0].shape), axis);
    }
    shape[axis] += input.shape[axis];
  }
  bounded_count(shape);
  const auto middle = shape.begin() + axis;
  const std::int64_t outer = element_count({shape.begin(), middle});
  const std::int64_t inner = element_count({middle + 1, shape.end()});
  std::vector<std::int32_t> source;
  for (std::int64_t o = 0; o < outer; ++o) {
    std::int64_t first = 0;
    for (const Symbol& input : inputs) {
      const std::int64_t run = input.shape[axis] * inner;
      for (std::int64_t i = 0; i < run; ++i) {
        source.push_back(static_cast<std::int32_t>(first + o * run + i));
      }
      first += element_count(input.shape);
    }
  }
  return {rearrange(call, inputs, std::move(source), shape)};
}

Symbols gather(OnnxCall& call) {
  const Symbol& x = call.in(0);
  const std::int64_t axis = OnnxCall::axis(call.integer("axis", 0), call.rank(0));
  const auto indices = call.constant_integers(1, "indices");
  const Shape& picked = call.in(1).shape;
  bounded_count(x.shape);
  const Shape strides = strides_of(x.shape);
  AxisOffsets offsets(x.shape.size());
  for (std::int64_t k = 0; k < call.rank(0); ++k) {
    if (k == axis) {
      for (const std::int64_t i : indices) {
        offsets[k].push_back(index(i, x.shape[k]) * strides[k]);
      }
    } else {
      for (std::int64_t i = 0; i < x.shape[k]; ++i) offsets[k].push_back(i * strides[k]);
    }
  }
  Shape shape(x.shape.begin(), x.shape.begin() + axis);
  shape.insert(shape.end(), picked.begin(), picked.end());
  shape.insert(shape.end(), x.shape.begin() + axis + 1, x.shape.end());
  call.output_zero_point = call.zero_points[0];
  return {move_axes(call, x, offsets, 0, shape)};
}

// For every index along `axis` (all other coordinates its own): the element of x it names.
std::vector<std::int32_t> element_places(const Symbol& x, const Shape& shape,
                                         const std::vector<std::int64_t>& indices,
                                         std::int64_t axis) {
  bool fits = shape.size() == x.shape.size();
  for (std::size_t k = 0; fits && k < shape.size(); ++k) {
    fits = static_cast<std::int64_t>(k) == axis || shape[k] <= x.shape[k];
  }
  if (!fits) {
    OnnxCall::refuse("indices {} do not fit {}", to_string(shape), to_string(x.shape));
  }
  bounded_count(x.shape);
  const Shape own = strides_of(shape), strides = strides_of(x.shape);
  std::vector<std::int32_t> places;
  for (std::size_t i = 0; i < indices.size(); ++i) {
    std::int64_t place = 0;
    for (std::size_t k = 0; k < shape.size(); ++k) {
      const bool named = static_cast<std::int64_t>(k) == axis;
      const std::int64_t coordinate =
          named ? index(indices[i], x.shape[k]) : static_cast<std::int64_t>(i) / own[k] % shape[k];
      place += coordinate * strides[k];
    }
    places.push_back(static_cast<std::int32_t>(place));
  }
  return places;
}

Symbols gather_elements(OnnxCall& call) {
  const Symbol& x = call.in(0);
  const std::int64_t axis = OnnxCall::axis(call.integer("axis", 0), call.rank(0));
  const Shape& shape = call.in(1).shape;
  auto places = element_places(x, shape, call.constant_integers(1, "indices"), axis);
  call.output_zero_point = call.zero_points[0];
  return {rearrange(call, {x}, std::move(places), shape)};
}

Symbols scatter_elements(OnnxCall& call) {
  const Symbol& x = call.in(0);
  const std::int64_t axis = OnnxCall::axis(call.integer("axis", 0), call.rank(0));
  if (call.text("reduction", "none") != "none") OnnxCall::refuse("reduction must be none");
  const auto places =
      element_places(x, call.in(1).shape, call.constant_integers(1, "indices"), axis);
  if (call.in(2).shape != call.in(1).shape) OnnxCall::refuse("updates and indices differ in shape");
  auto source = count_up(bounded_count(x.shape));
  const auto first = static_cast<std::int32_t>(source.size());
  for (std::size_t i = 0; i < places.size(); ++i) {
    source[places[i]] = first + static_cast<std::int32_t>(i);
  }
  return {rearrange(call, {x, call.in(2)}, std::move(source), x.shape)};
}

// Indices [outer…, depth] name slices of x after `batch` common axes: the first element of each.
struct Slices {
  std::vector<std::int64_t> first;
  std::int64_t size = 1;  ///< elements of one slice
  Shape shape;            ///< of the slices side by side
};

Slices read_slices(OnnxCall& call, std::int64_t batch) {
  const Symbol& x = call.in(0);
  const auto indices = call.constant_integers(1, "indices");
  const Shape& shape = call.in(1).shape;
  const std::int64_t depth = shape.empty() ? 0 : shape.back();
  const std::int64_t rank = call.rank(0);
  const bool fits = depth >= 1 && batch >= 0 && batch + depth <= rank &&
                    batch < static_cast<std::int64_t>(shape.size()) &&
                    std::equal(shape.begin(), shape.begin() + batch, x.shape.begin());
  if (!fits) OnnxCall::refuse("indices {} do not fit {}", to_string(shape), to_string(x.shape));
  bounded_count(x.shape);
  const Shape strides = strides_of(x.shape);
  Slices slices;
  slices.size = element_count({x.shape.begin() + batch + depth, x.shape.end()});
  const std::int64_t each = element_count({x.shape.begin() + batch, x.shape.end()});
  const std::int64_t groups = element_count({shape.begin(), shape.begin() + batch});
  const std::int64_t total = static_cast<std::int64_t>(indices.size()) / depth;
  for (std::int64_t n = 0; n < total; ++n) {
    std::int64_t place = n / (total / groups) * each;
    for (std::int64_t k = 0; k < depth; ++k) {
      place += index(indices[n * depth + k], x.shape[batch + k]) * strides[batch + k];
    }
    slices.first.push_back(place);
  }
  slices.shape.assign(shape.begin(), shape.end() - 1);
  slices.shape.insert(slices.shape.end(), x.shape.begin() + batch + depth, x.shape.end());
  return slices;
}

Symbols gather_slices(OnnxCall& call) {
  const Slices slices = read_slices(call, call.integer("batch_dims", 0));
  bounded_count(slices.shape);
  std::vector<std::int32_t> source;
  for (const std::int64_t first : slices.first) {
    for (std::int64_t i = 0; i < slices.size; ++i) {
      source.push_back(static_cast<std::int32_t>(first + i));
    }
  }
  call.output_zero_point = call.zero_points[0];
  return {rearrange(call, {call.in(0)}, std::move(source), slices.shape)};
}

Symbols scatter_slices(OnnxCall& call) {
  const Symbol& x = call.in(0);
  if (call.text("reduction", "none") != "none") OnnxCall::refuse("reduction must be none");
  const Slices slices = read_slices(call, 0);
  if (call.in(2).shape != slices.shape) {
    OnnxCall::refuse("updates must be {}, they are {}", to_string(slices.shape),
                     to_string(call.in(2).shape));
  }
  auto source = count_up(bounded_count(x.shape));
  auto from = static_cast<std::int32_t>(source.size());
  for (const std::int64_t first : slices.first) {
    for (std::int64_t i = 0; i < slices.size; ++i) source[first + i] = from++;
  }
  return {rearrange(call, {x, call.in(2)}, std::move(source), x.shape)};
}

Symbols compress(OnnxCall& call) {
  const Symbol& given = call.in(0);
  const bool flat = !call.has_attribute("axis");
  const Symbol x = flat ? call.builder.reshape(given, {element_count(given.shape)}) : given;
  const std::int64_t axis = flat ? 0 : OnnxCall::axis(call.integer("axis", 0), call.rank(0));
  const auto& condition = call.constant(1, "the condition");
  bounded_count(x.shape);
  const Shape strides = strides_of(x.shape);
  AxisOffsets offsets(x.shape.size());
  for (std::size_t k = 0; k < x.shape.size(); ++k) {
    const bool chosen = static_cast<std::int64_t>(k) == axis;
    for (std::int64_t i = 0; i < x.shape[k]; ++i) {
      const bool kept =
          !chosen || (i < static_cast<std::int64_t>(condition.size()) && condition[i] != 0);
      if (kept) offsets[k].push_back(i * strides[k]);
    }
  }
  return {move_axes(call, x, offsets)};
}

// The first elements along one axis in the opposite order, as many as each batch entry says.
Symbols reverse_sequence(OnnxCall& call) {
  const Symbol& x = call.in(0);
  const std::int64_t time = call.integer("time_axis", 0), batch = call.integer("batch_axis", 1);
  if (call.rank(0) < 2 || std::min(time, batch) != 0 || std::max(time, batch) != 1) {
    OnnxCall::refuse("time_axis and batch_axis must be the first two axes");
  }
  const auto lengths = call.constant_integers(1, "sequence_lens");
  if (static_cast<std::int64_t>(lengths.size()) != x.shape[batch]) {
    OnnxCall::refuse("sequence_lens has {} entries, it needs {}", lengths.size(), x.shape[batch]);
  }
  const Shape strides = strides_of(x.shape);
  std::vector<std::int32_t> source = count_up(bounded_count(x.shape));
  for (auto& place : source) {
    const std::int64_t t = place / strides[time] % x.shape[time];
    const std::int64_t length = lengths[place / strides[batch] % x.shape[batch]];
    if (length > x.shape[time]) OnnxCall::refuse("a sequence of {} is too long", length);
    if (t < length) place += static_cast<std::int32_t>((length - 1 - 2 * t) * strides[time]);
  }
  return {rearrange(call, {x}, std::move(source), x.shape)};
}

}  // namespace

void add_index_operators(OnnxOperatorTable& table) {
  table["Compress"] = {compress};
  table["Concat"] = {concat, true};
  table["Gather"] = {gather, true};
  table["GatherElements"] = {gather_elements, true};
  table["GatherND"] = {gather_slices, true};
  table["ReverseSequence"] = {reverse_sequence};
  table["Scatter"] = {scatter_elements};
  table["ScatterElements"] = {scatter_elements};
  table["ScatterND"] = {scatter_slices};
}

}  // namespace flipscope
