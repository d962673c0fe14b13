// ONNX's operators that only rename the axes of a tensor, or ask for its shape.
#include <algorithm>

#include "flipscope/model/onnx_operators.h"

namespace flipscope {
namespace {

using Symbols = std::vector<Symbol>;

// Identity in all but the shape; codes stay codes.
Symbols renamed(OnnxCall& call, const Shape& shape) {
  call.output_zero_point = call.zero_points[0];
  if (element_count(shape) != element_count(call.in(0).shape)) {
    OnnxCall::refuse("{} cannot become {}", to_string(call.in(0).shape), to_string(shape));
  }
  return {call.builder.reshape(call.in(0), shape)};
}

// Whether a batch of fixed size, which has become 1, is written into the new shape's first axis.
bool holds_batch(const OnnxCall& call, const Shape& shape, bool has_unknown, std::int64_t known) {
  const Symbol& x = call.in(0);
  if (call.batch == 1 || x.is_constant() || shape.empty() || shape[0] <= 0) return false;
  const std::int64_t count = element_count(x.shape);
  if (!has_unknown)
    return shape[0] % call.batch == 0 && known == element_count({call.batch, count});
  return shape[0] == call.batch && !x.shape.empty() && x.shape[0] == 1;
}

Symbols reshape(OnnxCall& call) {
  call.ignore({"consumed_inputs"});
  const Symbol& x = call.in(0);
  Shape shape = call.integers_or_input("shape", 1).value_or(Shape{});
  const bool zero_is_zero = call.integer("allowzero", 0) != 0;
  std::int64_t unknown = -1, known = 1;
  for (std::size_t k = 0; k < shape.size(); ++k) {
    if (shape[k] == 0 && !zero_is_zero) {
      if (k >= x.shape.size())
        OnnxCall::refuse("the new shape copies axis {} of {}", k, to_string(x.shape));
      shape[k] = x.shape[k];
    }
    if (shape[k] == -1) {
      if (unknown >= 0) OnnxCall::refuse("the new shape {} has more than one −1", to_string(shape));
      unknown = static_cast<std::int64_t>(k);
    } else {
      if (shape[k] < 0) OnnxCall::refuse("the new shape holds {}", shape[k]);
      known = element_count({known, shape[k]});
    }
  }
  const std::int64_t count = element_count(x.shape);
  if (holds_batch(call, shape, unknown >= 0, known)) {
    shape[0] /= call.batch;
    known /= call.batch;
  }
  if (unknown >= 0) {
    if (known == 0 || count % known != 0) {
      OnnxCall::refuse("{} cannot become {}", to_string(x.shape), to_string(shape));
    }
    shape[unknown] = count / known;
  }
  return renamed(call, shape);
}

Symbols flatten(OnnxCall& call) {
  const Shape& shape = call.in(0).shape;
  const std::int64_t rank = call.rank(0);
  std::int64_t axis = call.integer("axis", 1);
  if (axis != rank) axis = OnnxCall::axis(axis, rank);
  return renamed(call, {element_count({shape.begin(), shape.begin() + axis}),
                        element_count({shape.begin() + axis, shape.end()})});
}

Symbols squeeze(OnnxCall& call) {
  const Shape& shape = call.in(0).shape;
  const auto listed = call.integers_or_input("axes", 1);
  std::vector<bool> dropped(shape.size(), false);
  if (listed) {
    for (const std::int64_t axis : OnnxCall::axes(*listed, call.rank(0))) {
      if (shape[axis] != 1) {
        OnnxCall::refuse("axis {} of {} is not 1", axis, to_string(shape));
      }
      dropped[axis] = true;
    }
  }
  Shape kept;
  for (std::size_t k = 0; k < shape.size(); ++k) {
    if (listed ? !dropped[k] : shape[k] != 1) kept.push_back(shape[k]);
  }
  return renamed(call, kept);
}

Symbols unsqueeze(OnnxCall& call) {
  const auto listed = call.integers_or_input("axes", 1);
  if (!listed) OnnxCall::refuse("axes are missing");
  const std::int64_t rank = call.rank(0) + static_cast<std::int64_t>(listed->size());
  Shape shape = call.in(0).shape;
  for (const std::int64_t axis : OnnxCall::axes(*listed, rank)) {
    shape.insert(shape.begin() + axis, 1);
  }
  return renamed(call, shape);
}

Symbols identity(OnnxCall& call) {
  call.output_zero_point = call.zero_points[0];
  return {call.in(0)};
}

Symbols dropout(OnnxCall& call) {
  call.ignore({"ratio", "seed", "is_test"});
  const bool training = call.has(2) && call.constant_scalar(2, "training_mode") != 0;
  if (training && (!call.has(1) || call.constant_scalar(1, "ratio") != 0)) {
    OnnxCall::refuse("training_mode is on; export the model for inference");
  }
  const Symbol& x = call.in(0);
  if (call.node.outputs.size() < 2) {
    call.output_zero_point = call.zero_points[0];
    return {x};
  }
  const std::vector<double> all(static_cast<std::size_t>(bounded_count(x.shape)), 1);
  return {call.decoded(0), call.builder.literal({ElementType::boolean, x.shape, all})};
}

Symbols shape(OnnxCall& call) {
  const Shape& dims = call.in(0).shape;
  const std::int64_t rank = call.rank(0);
  const auto bound = [&](const char* name, std::int64_t otherwise) {
    const std::int64_t value = call.integer(name, otherwise);
    return std::clamp<std::int64_t>(value < 0 ? value + rank : value, 0, rank);
  };
  const std::int64_t start = bound("start", 0);
  const std::int64_t end = std::max(bound("end", rank), start);
  return {call.integer_list({dims.begin() + start, dims.begin() + end})};
}

Symbols size(OnnxCall& call) {
  const auto count = static_cast<double>(element_count(call.in(0).shape));
  return {call.scalar(count, ElementType::int64)};
}

}  // namespace

void add_shape_operators(OnnxOperatorTable& table) {
  table["Dropout"] = {dropout, true};
  table["Flatten"] = {flatten, true};
  table["Identity"] = {identity, true};
  table["Reshape"] = {reshape, true};
  table["Shape"] = {shape, true};
  table["Size"] = {size, true};
  table["Squeeze"] = {squeeze, true};
  table["Unsqueeze"] = {unsqueeze, true};
}

}  // namespace flipscope
