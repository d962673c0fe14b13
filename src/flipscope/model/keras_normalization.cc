// Keras layers that shift and scale by stored statistics or constants.
#include <algorithm>
#include <cmath>

#include "flipscope/model/keras_layer.h"
#include "flipscope/numeric/error.h"

namespace flipscope {
namespace {

/// The axes that the configuration names, of a Keras shape, non-negative and sorted.
std::vector<std::size_t> axes_of(const LayerCall& call) {
  const Config axis = call.config["axis"];
  const auto rank = static_cast<std::int64_t>(call.input().shape.size());
  std::vector<std::size_t> axes;
  const std::size_t count = axis.is_array() ? axis.size() : 1;
  for (std::size_t i = 0; i < count; ++i) {
    std::int64_t at = axis.is_null()    ? -1
                      : axis.is_array() ? axis[i].integer("axis")
                                        : axis.integer("axis");
    if (at < 0) at += rank;
    if (at < 1 || at >= rank) call.refuse("axis {} is outside of 1..{}", at, rank - 1);
    axes.push_back(static_cast<std::size_t>(at));
  }
  std::sort(axes.begin(), axes.end());
  return axes;
}

void require_channel_axis(const LayerCall& call) {
  const auto axes = axes_of(call);
  if (axes.size() != 1 || axes[0] + 1 != call.input().shape.size()) {
    call.refuse("{} is supported along the last axis only", call.class_name);
  }
}

/// A vector along the channels, in the shape that broadcasts to the tensor inside.
Symbol along_channels(const LayerCall& call, const Symbol& vector) {
  Shape shape(call.input().shape.size(), 1);
  shape[1] = vector.shape[0];
  return call.builder.reshape(vector, shape);
}

Symbol filled(const LayerCall& call, std::int64_t size, double value) {
  return call.builder.literal(
      {ElementType::float32, {size}, std::vector<double>(static_cast<std::size_t>(size), value)});
}

/// Numbers of the configuration, however deep their lists nest.
void flatten(const Config& value, std::vector<double>& numbers) {
  if (!value.is_array()) {
    numbers.push_back(static_cast<float>(value.number("mean or variance")));
    return;
  }
  for (std::size_t i = 0; i < value.size(); ++i) flatten(value[i], numbers);
}

}  // namespace

KerasTensor import_batch_normalization(const LayerCall& call) {
  call.require_inputs(1);
  require_channel_axis(call);
  const std::int64_t channels = call.input().shape.back();
  const auto parameter = [&](const char* name, const char* switched, double otherwise,
                             const char* quantizer, bool scalable) {
    if (switched && !call.config.flag(switched, true)) return filled(call, channels, otherwise);
    return call.weight(name, {channels}, quantizer, scalable);
  };
  const Symbol gamma = parameter("gamma", "scale", 1, "gamma_quantizer", true);
  const Symbol beta = parameter("beta", "center", 0, "beta_quantizer", false);
  const Symbol mean = parameter("moving_mean", nullptr, 0, "mean_quantizer", false);
  const Symbol variance = parameter("moving_variance", nullptr, 1, "variance_quantizer", true);
  return {call.add(BatchNormalization{call.config.number("epsilon", 1e-3)},
                   {call.input().symbol, gamma, beta, mean, variance}),
          call.input().shape};
}

KerasTensor import_layer_normalization(const LayerCall& call) {
  call.require_inputs(1);
  const KerasTensor& x = call.input();
  const auto keras_axes = axes_of(call);
  Shape weights, broadcast(x.shape.size(), 1);
  for (const std::size_t axis : keras_axes) {
    weights.push_back(x.shape[axis]);
    broadcast[axis] = x.shape[axis];
  }
  std::vector<std::int64_t> axes;
  const auto order = channel_first_axes(x.shape.size());
  for (std::size_t d = 0; d < order.size(); ++d) {
    if (std::count(keras_axes.begin(), keras_axes.end(), order[d])) {
      axes.push_back(static_cast<std::int64_t>(d));
    }
  }
  Symbol y = call.add(Standardize{axes, call.config.number("epsilon", 1e-3)}, {x.symbol});
  const auto apply = [&](const char* name, BinaryFunction function) {
    const Symbol vector = call.builder.reshape(call.weight(name, weights), broadcast);
    y = call.add(Binary{function}, {y, call.transpose(vector, order)});
  };
  if (call.config.flag("scale", true)) apply("gamma", BinaryFunction::multiply);
  if (call.config.flag("center", true)) apply("beta", BinaryFunction::add);
  return {y, x.shape};
}

KerasTensor import_normalization(const LayerCall& call) {
  call.require_inputs(1);
  if (call.config.flag("invert", false)) call.refuse("`invert` is not supported");
  const bool one_for_all = call.config["axis"].is_null() ||
                           (call.config["axis"].is_array() && call.config["axis"].size() == 0);
  if (!one_for_all) require_channel_axis(call);
  const Shape shape = one_for_all ? Shape{} : Shape{call.input().shape.back()};
  const auto statistic = [&](const char* name) {
    if (call.config[name].is_null()) return call.weight(name, shape);
    std::vector<double> numbers;
    flatten(call.config[name], numbers);
    const auto count = static_cast<std::size_t>(element_count(shape));
    if (numbers.size() == 1) numbers.assign(count, numbers[0]);
    if (numbers.size() != count) {
      call.refuse("`{}` must hold {} numbers, got {}", name, count, numbers.size());
    }
    return call.builder.literal({ElementType::float32, shape, numbers});
  };
  const auto spread = [&](const Symbol& s) { return one_for_all ? s : along_channels(call, s); };
  const Symbol deviation = call.add(Unary{UnaryFunction::sqrt}, {spread(statistic("variance"))});
  const Symbol least = call.add(Binary{BinaryFunction::maximum}, {deviation, call.literal(1e-7)});
  const Symbol centered =
      call.add(Binary{BinaryFunction::subtract}, {call.input().symbol, spread(statistic("mean"))});
  return {call.add(Binary{BinaryFunction::divide}, {centered, least}), call.input().shape};
}

KerasTensor import_rescaling(const LayerCall& call) {
  call.require_inputs(1);
  const Symbol scaled =
      call.add(Binary{BinaryFunction::multiply},
               {call.input().symbol, call.literal(call.config.number("scale", 1))});
  return {call.add(Binary{BinaryFunction::add},
                   {scaled, call.literal(call.config.number("offset", 0))}),
          call.input().shape};
}

}  // namespace flipscope
