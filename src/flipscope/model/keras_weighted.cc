// Keras layers that sum products with a kernel.
#include "flipscope/model/keras_layer.h"
#include "flipscope/numeric/error.h"

namespace flipscope {
namespace {

constexpr std::int64_t kMostUnits = std::int64_t{1} << 24;

std::int64_t positive(const LayerCall& call, const char* key) {
  const std::int64_t value = call.config.integer(key, 0);
  if (value < 1 || value > kMostUnits) {
    call.refuse("`{}` must lie in 1..{}, got {}", key, kMostUnits, value);
  }
  return value;
}

std::vector<Symbol> with_bias(const LayerCall& call, std::vector<Symbol> operands,
                              std::int64_t channels) {
  if (call.config.flag("use_bias", true)) {
    operands.push_back(call.weight("bias", {channels}, "bias_quantizer", false));
  }
  return operands;
}

KerasTensor activated(const LayerCall& call, const Symbol& sum) {
  return call.activate(call.wrap(sum), call.config["activation"]);
}

/// A kernel [spatial…, a, b] as [b, a, spatial…] (or [a, b, spatial…]).
Symbol channels_before_space(const LayerCall& call, const Symbol& kernel, bool swap) {
  const std::size_t rank = kernel.shape.size();
  std::vector<std::size_t> axes = {rank - 2, rank - 1};
  if (swap) std::swap(axes[0], axes[1]);
  for (std::size_t d = 0; d + 2 < rank; ++d) axes.push_back(d);
  return call.transpose(kernel, axes);
}

/// The attributes that all convolutions share.
struct Geometry {
  std::vector<std::int64_t> kernel, stride, dilation;
};

Geometry geometry(const LayerCall& call) {
  const std::size_t spatial = call.spatial_rank();
  call.require_rank(spatial + 2);
  call.require_channels_last();
  return {call.config.integers("kernel_size", spatial, 1, 0),
          call.config.integers("strides", spatial, 1, 1),
          call.config.integers("dilation_rate", spatial, 1, 1)};
}

Convolution convolution(const LayerCall& call, const Geometry& geometry, std::int64_t groups) {
  Convolution op;
  op.stride = geometry.stride;
  op.dilation = geometry.dilation;
  op.groups = groups;
  for (std::size_t d = 0; d < geometry.kernel.size(); ++d) {
    const AxisPadding padding = axis_padding(call, call.input().shape[d + 1], geometry.kernel[d],
                                             geometry.stride[d], geometry.dilation[d]);
    op.pad_begin.push_back(padding.begin);
    op.pad_end.push_back(padding.end);
  }
  return op;
}

/// A depthwise kernel [spatial…, C, M] as the kernel of a convolution of C groups: [C·M, 1,
/// spatial…].
Symbol grouped_kernel(const LayerCall& call, const Symbol& kernel) {
  const Symbol moved = channels_before_space(call, kernel, false);
  if (moved.shape[1] > 1 && moved.provenance && moved.provenance->encoding &&
      moved.provenance->encoding->axis >= 0) {
    call.refuse("an automatic alpha for a depthwise kernel needs depth_multiplier 1, got {}",
                moved.shape[1]);
  }
  Shape shape = {moved.shape[0] * moved.shape[1], 1};
  shape.insert(shape.end(), moved.shape.begin() + 2, moved.shape.end());
  return call.builder.reshape(moved, shape);
}

Shape kernel_shape(const Geometry& geometry, std::int64_t a, std::int64_t b) {
  Shape shape(geometry.kernel.begin(), geometry.kernel.end());
  shape.push_back(a);
  shape.push_back(b);
  return shape;
}

}  // namespace

KerasTensor import_dense(const LayerCall& call) {
  call.require_inputs(1);
  const KerasTensor& x = call.input();
  if (x.shape.size() < 2) call.refuse("Dense needs at least 2 axes, got {}", to_string(x.shape));
  const std::int64_t units = positive(call, "units");
  const Symbol kernel = call.weight("kernel", {x.shape.back(), units}, "kernel_quantizer");
  const Symbol sum = call.add(MatrixProduct{}, with_bias(call, {call.to_keras(x), kernel}, units));
  return call.activate(call.from_keras(sum), call.config["activation"]);
}

KerasTensor import_convolution(const LayerCall& call) {
  const Geometry shape = geometry(call);
  const std::int64_t filters = positive(call, "filters");
  const std::int64_t groups = call.config.integer("groups", 1);
  const std::int64_t channels = call.input().shape.back();
  if (groups < 1 || channels % groups != 0 || filters % groups != 0) {
    call.refuse("{} groups do not divide {} channels and {} filters", groups, channels, filters);
  }
  const Symbol kernel =
      call.weight("kernel", kernel_shape(shape, channels / groups, filters), "kernel_quantizer");
  return activated(
      call,
      call.add(convolution(call, shape, groups),
               with_bias(call, {call.input().symbol, channels_before_space(call, kernel, true)},
                         filters)));
}

KerasTensor import_depthwise(const LayerCall& call) {
  const Geometry shape = geometry(call);
  const std::int64_t channels = call.input().shape.back();
  const std::int64_t multiplier = call.config.integers("depth_multiplier", 1, 1, 1)[0];
  const Symbol kernel = call.weight("depthwise_kernel", kernel_shape(shape, channels, multiplier),
                                    "depthwise_quantizer");
  return activated(call,
                   call.add(convolution(call, shape, channels),
                            with_bias(call, {call.input().symbol, grouped_kernel(call, kernel)},
                                      channels * multiplier)));
}

KerasTensor import_separable(const LayerCall& call) {
  const Geometry shape = geometry(call);
  const std::int64_t filters = positive(call, "filters");
  const std::int64_t channels = call.input().shape.back();
  const std::int64_t multiplier = call.config.integers("depth_multiplier", 1, 1, 1)[0];
  const Symbol depthwise = call.weight(
      "depthwise_kernel", kernel_shape(shape, channels, multiplier), "depthwise_quantizer");
  const Symbol spread = call.add(convolution(call, shape, channels),
                                 {call.input().symbol, grouped_kernel(call, depthwise)});
  const std::vector<std::int64_t> ones(shape.kernel.size(), 1), zeros(shape.kernel.size(), 0);
  const Geometry point{ones, ones, ones};
  const Symbol pointwise =
      call.weight("pointwise_kernel", kernel_shape(point, channels * multiplier, filters),
                  "pointwise_quantizer");
  Convolution point_op;
  point_op.stride = point_op.dilation = ones;
  point_op.pad_begin = point_op.pad_end = zeros;
  return activated(
      call,
      call.add(point_op,
               with_bias(call, {spread, channels_before_space(call, pointwise, true)}, filters)));
}

KerasTensor import_transposed_convolution(const LayerCall& call) {
  const Geometry shape = geometry(call);
  const std::size_t spatial = shape.kernel.size();
  const std::int64_t filters = positive(call, "filters");
  const std::int64_t channels = call.input().shape.back();
  const bool stretched = !call.config["output_padding"].is_null() && !call.is_quantized;
  const auto extra = call.config.integers("output_padding", spatial, 0, 0);
  const std::string padding = call.config.text("padding", "valid");
  if (padding != "same" && padding != "valid") {
    call.refuse("padding \"{}\" is not supported; supported: \"valid\", \"same\"", padding);
  }
  TransposedConvolution op;
  op.stride = shape.stride;
  op.dilation = shape.dilation;
  for (std::size_t d = 0; d < spatial; ++d) {
    const std::int64_t input = call.input().shape[d + 1];
    const std::int64_t stride = shape.stride[d];
    const std::int64_t reach = (shape.kernel[d] - 1) * shape.dilation[d] + 1;
    const bool same = padding == "same";
    const std::int64_t output =
        stretched ? (input - 1) * stride + reach - (same ? reach / 2 * 2 : 0) + extra[d]
                  : input * stride + (same ? 0 : std::max<std::int64_t>(reach - stride, 0));
    if (output < 1) call.refuse("its output along axis {} would be empty", d + 1);
    // It is the transpose of the convolution that makes `input` out of `output`.
    const std::int64_t total =
        same ? std::max<std::int64_t>((input - 1) * stride + reach - output, 0) : 0;
    const std::int64_t begin = total / 2;
    const std::int64_t end = (input - 1) * stride + reach - begin - output;
    op.pad_begin.push_back(begin);
    op.pad_end.push_back(std::max<std::int64_t>(end, 0));
    op.output_padding.push_back(std::max<std::int64_t>(-end, 0));
  }
  const Symbol kernel =
      call.weight("kernel", kernel_shape(shape, filters, channels), "kernel_quantizer");
  return activated(
      call,
      call.add(op, with_bias(call, {call.input().symbol, channels_before_space(call, kernel, true)},
                             filters)));
}

}  // namespace flipscope
