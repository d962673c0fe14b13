// ONNX's normalizations, softmax and its relatives.
#include <algorithm>
#include <numeric>

#include "flipscope/model/onnx_operators.h"

namespace flipscope {
namespace {

using Symbols = std::vector<Symbol>;
using F = BinaryFunction;

std::vector<std::int64_t> axes_from(std::int64_t first, std::int64_t rank) {
  std::vector<std::int64_t> axes(static_cast<std::size_t>(rank - first));
  std::iota(axes.begin(), axes.end(), first);
  return axes;
}

Symbol reduce(OnnxCall& call, ReduceFunction function, const Symbol& x,
              std::vector<std::int64_t> axes) {
  return call.add(Reduce{function, std::move(axes), true}, {x}, x.type);
}

// One parameter per channel, for a value with channels on axis 1.
Symbol per_channel(OnnxCall& call, const Symbol& parameter, std::int64_t rank) {
  Shape shape(static_cast<std::size_t>(rank - 1), 1);
  shape[0] = element_count(parameter.shape);
  return call.builder.reshape(parameter, shape);
}

Symbol scale_and_shift(OnnxCall& call, const Symbol& x, const Symbol& scale, const Symbol& shift) {
  const Symbol scaled = call.binary(F::multiply, x, scale);
  return shift.present ? call.binary(F::add, scaled, shift) : scaled;
}

void require_channels(OnnxCall& call) {
  if (call.rank(0) < 2) {
    OnnxCall::refuse("the input must have a channel axis, it is {}", to_string(call.in(0).shape));
  }
}

// Before opset 14 a node says by its outputs that it trains; before 7 is_test may deny it.
bool trains_by_outputs(OnnxCall& call) {
  const bool is_test = call.integer("is_test", 0) != 0;
  const auto& outputs = call.node.outputs;
  return call.opset < 14 && !is_test && outputs.size() > 1 &&
         std::any_of(outputs.begin() + 1, outputs.end(),
                     [](const std::string& name) { return !name.empty(); });
}

Symbols batch_normalization(OnnxCall& call) {
  call.ignore({"momentum", "consumed_inputs"});
  require_channels(call);
  if (call.integer("training_mode", 0) != 0) {
    OnnxCall::refuse("training_mode is on; export the model for inference");
  }
  if (trains_by_outputs(call)) {
    OnnxCall::refuse("more than one output is the training mode; export the model for inference");
  }
  if (call.integer("spatial", 1) != 1) OnnxCall::refuse("spatial must be 1");
  const double epsilon = call.number("epsilon", 1e-5F);
  Symbols inputs;
  for (std::size_t i = 0; i < 5; ++i) inputs.push_back(call.in(i));
  return {call.add(BatchNormalization{epsilon}, inputs, call.in(0).type)};
}

Symbols instance_normalization(OnnxCall& call) {
  call.ignore({"consumed_inputs"});
  require_channels(call);
  const std::int64_t rank = call.rank(0);
  const double epsilon = call.number("epsilon", 1e-5F);
  const Symbol x =
      call.add(Standardize{axes_from(2, rank), epsilon}, {call.in(0)}, call.in(0).type);
  return {scale_and_shift(call, x, per_channel(call, call.in(1), rank),
                          per_channel(call, call.in(2), rank))};
}

Symbols layer_normalization(OnnxCall& call) {
  call.ignore({"stash_type"});
  const Symbol& x = call.in(0);
  const std::int64_t axis = OnnxCall::axis(call.integer("axis", -1), call.rank(0));
  const auto axes = axes_from(axis, call.rank(0));
  const double epsilon = call.number("epsilon", 1e-5F);
  const Symbol standard = call.add(Standardize{axes, epsilon}, {x}, x.type);
  const Symbol y = scale_and_shift(call, standard, call.in(1), call.optional(2));
  if (call.node.outputs.size() < 2) return {y};
  const Symbol mean = reduce(call, ReduceFunction::mean, x, axes);
  const Symbol deviation = call.binary(F::subtract, x, mean);
  const Symbol variance =
      reduce(call, ReduceFunction::mean, call.unary(UnaryFunction::square, deviation), axes);
  const Symbol shifted = call.binary(F::add, variance, call.scalar(epsilon, x.type));
  const Symbol root = call.unary(UnaryFunction::sqrt, shifted);
  return {y, mean, call.unary(UnaryFunction::reciprocal, root)};
}

Symbols root_mean_square_normalization(OnnxCall& call) {
  call.ignore({"stash_type"});
  const Symbol& x = call.in(0);
  const std::int64_t axis = OnnxCall::axis(call.integer("axis", -1), call.rank(0));
  const Symbol square = reduce(call, ReduceFunction::mean, call.unary(UnaryFunction::square, x),
                               axes_from(axis, call.rank(0)));
  const Symbol epsilon = call.scalar(call.number("epsilon", 1e-5F), x.type);
  const Symbol root = call.unary(UnaryFunction::sqrt, call.binary(F::add, square, epsilon));
  return {call.binary(F::multiply, call.binary(F::divide, x, root), call.in(1))};
}

// Scale and bias are per group in opset 18, per channel since 21.
Symbols group_normalization(OnnxCall& call) {
  call.ignore({"stash_type"});
  require_channels(call);
  const Symbol& x = call.in(0);
  const std::int64_t groups = call.integer("num_groups", 0);
  const std::int64_t channels = x.shape[1];
  if (groups < 1 || channels % groups != 0) {
    OnnxCall::refuse("num_groups {} does not divide {} channels", groups, channels);
  }
  const double epsilon = call.number("epsilon", 1e-5F);
  const std::int64_t inner = groups == 0 || x.shape[0] == 0 || channels == 0
                                 ? 0
                                 : element_count(x.shape) / (x.shape[0] * groups);
  Symbol y = call.builder.reshape(x, {x.shape[0], groups, inner});
  y = call.add(Standardize{{2}, epsilon}, {y}, x.type);
  const bool per_group =
      call.opset < 21 && element_count(call.in(1).shape) == groups && groups != channels;
  if (per_group) {
    y = scale_and_shift(call, y, per_channel(call, call.in(1), 3),
                        per_channel(call, call.in(2), 3));
  }
  y = call.builder.reshape(y, x.shape);
  if (per_group) return {y};
  return {scale_and_shift(call, y, per_channel(call, call.in(1), call.rank(0)),
                          per_channel(call, call.in(2), call.rank(0)))};
}

Symbols mean_variance_normalization(OnnxCall& call) {
  const Symbol& x = call.in(0);
  const auto axes = OnnxCall::axes(call.integers("axes", {0, 2, 3}), call.rank(0));
  const Symbol deviation = call.binary(F::subtract, x, reduce(call, ReduceFunction::mean, x, axes));
  const Symbol variance =
      reduce(call, ReduceFunction::mean, call.unary(UnaryFunction::square, deviation), axes);
  const Symbol divisor =
      call.binary(F::add, call.unary(UnaryFunction::sqrt, variance), call.scalar(1e-9, x.type));
  return {call.binary(F::divide, deviation, divisor)};
}

// A vector without length stays as it is.
Symbols norm_normalization(OnnxCall& call) {
  const Symbol& x = call.in(0);
  const std::int64_t p = call.integer("p", 2);
  if (p != 1 && p != 2) OnnxCall::refuse("p must be 1 or 2, it is {}", p);
  const std::int64_t axis = OnnxCall::axis(call.integer("axis", -1), call.rank(0));
  const Symbol norm = reduce(call, p == 1 ? ReduceFunction::l1 : ReduceFunction::l2, x, {axis});
  const Symbol divisor = call.add(Select{}, {norm, norm, call.scalar(1, x.type)}, x.type);
  return {call.binary(F::divide, x, divisor)};
}

Symbols local_response_normalization(OnnxCall& call) {
  LocalResponse op;
  op.size = call.integer("size", 0);
  if (op.size < 1) OnnxCall::refuse("size must be positive, it is {}", op.size);
  op.alpha = call.number("alpha", 1e-4F);
  op.beta = call.number("beta", 0.75);
  op.bias = call.number("bias", 1);
  require_channels(call);
  return {call.add(op, {call.in(0)}, call.in(0).type)};
}

// Before opset 13 all axes from `axis` on are one.
template <Softmax::Kind kind>
Symbols softmax(OnnxCall& call) {
  const Symbol& x = call.in(0);
  const bool joined = call.opset < 13;
  std::int64_t axis = call.integer("axis", joined ? 1 : -1);
  const std::int64_t rank = call.rank(0);
  if (joined && axis == rank) OnnxCall::refuse("axis {} leaves no elements to compare", axis);
  axis = OnnxCall::axis(axis, rank);
  if (!joined || axis == rank - 1) return {call.add(Softmax{kind, axis}, {x}, x.type)};
  const auto middle = x.shape.begin() + axis;
  const Shape flat = {element_count({x.shape.begin(), middle}),
                      element_count({middle, x.shape.end()})};
  const Symbol y = call.add(Softmax{kind, 1}, {call.builder.reshape(x, flat)}, x.type);
  return {call.builder.reshape(y, x.shape)};
}

}  // namespace

void add_normalization_operators(OnnxOperatorTable& table) {
  table["BatchNormalization"] = {batch_normalization};
  table["GroupNormalization"] = {group_normalization};
  table["Hardmax"] = {softmax<Softmax::Kind::hardmax>};
  table["InstanceNormalization"] = {instance_normalization};
  table["LRN"] = {local_response_normalization};
  table["LayerNormalization"] = {layer_normalization};
  table["LogSoftmax"] = {softmax<Softmax::Kind::log_softmax>};
  table["LpNormalization"] = {norm_normalization};
  table["MeanVarianceNormalization"] = {mean_variance_normalization};
  table["RMSNormalization"] = {root_mean_square_normalization};
  table["Softmax"] = {softmax<Softmax::Kind::softmax>};
}

}  // namespace flipscope
