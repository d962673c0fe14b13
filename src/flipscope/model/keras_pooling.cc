// Keras's pooling layers.
#include <numeric>

#include "flipscope/model/keras_layer.h"
#include "flipscope/model/keras_quantizer.h"
#include "flipscope/numeric/error.h"

namespace flipscope {
namespace {

/// QKeras replaces the division by `area` with a product: mean·area·q(1/area).
KerasTensor quantized_average(const LayerCall& call, KerasTensor x, std::int64_t area) {
  if (!call.is_quantized) return x;
  const Config entry = call.config["average_quantizer"];
  if (!entry.is_null()) {
    const auto quantizer = parse_keras_quantizer(entry);
    if (!quantizer) call.refuse("`average_quantizer` is not a quantizer");
    const double factor = static_cast<float>(1.0 / static_cast<double>(area));
    const double quantized =
        quantize_weights(*quantizer, {ElementType::float32, {}, {factor}}, false).values.data[0];
    for (const double times : {static_cast<double>(area), quantized}) {
      x.symbol = call.add(Binary{BinaryFunction::multiply}, {x.symbol, call.literal(times)});
    }
  }
  return call.activate(x, call.config["activation"]);
}

}  // namespace

KerasTensor import_pooling(const LayerCall& call) {
  const std::size_t spatial = call.spatial_rank();
  call.require_rank(spatial + 2);
  call.require_channels_last();
  Pooling op;
  op.kind = call.class_name.starts_with("Max") ? Pooling::Kind::max : Pooling::Kind::average;
  op.kernel = call.config.integers("pool_size", spatial, 1, 2);
  op.stride =
      call.config["strides"].is_null() ? op.kernel : call.config.integers("strides", spatial, 1, 1);
  op.dilation.assign(spatial, 1);
  for (std::size_t d = 0; d < spatial; ++d) {
    const AxisPadding padding =
        axis_padding(call, call.input().shape[d + 1], op.kernel[d], op.stride[d], 1);
    op.pad_begin.push_back(padding.begin);
    op.pad_end.push_back(padding.end);
    op.output.push_back(padding.output);
  }
  const std::int64_t area =
      std::accumulate(op.kernel.begin(), op.kernel.end(), std::int64_t{1}, std::multiplies<>());
  return quantized_average(call, call.wrap(call.add(op, {call.input().symbol})), area);
}

KerasTensor import_global_pooling(const LayerCall& call) {
  const std::size_t spatial = call.spatial_rank();
  call.require_rank(spatial + 2);
  call.require_channels_last();
  Reduce op;
  op.function =
      call.class_name.find("Max") != std::string::npos ? ReduceFunction::max : ReduceFunction::mean;
  op.keep_dims = call.config.flag("keepdims", false);
  std::int64_t area = 1;
  for (std::size_t d = 0; d < spatial; ++d) {
    op.axes.push_back(static_cast<std::int64_t>(d) + 2);
    area *= call.input().shape[d + 1];
  }
  return quantized_average(call, call.wrap(call.add(op, {call.input().symbol})), area);
}

}  // namespace flipscope
