// ONNX's convolutions, and the arithmetic of windows that pooling shares.
#include <numeric>

#include "flipscope/model/onnx_operators.h"

namespace flipscope {
namespace {

using Symbols = std::vector<Symbol>;

// Sizes of a broken file; larger ones would overflow sums of products.
constexpr std::int64_t kLargest = std::int64_t{1} << 31;

std::vector<std::int64_t> per_axis(OnnxCall& call, const char* name, std::size_t count,
                                   std::int64_t otherwise, std::int64_t lowest) {
  auto values = call.integers(name);
  if (values.empty()) values.assign(count, otherwise);
  if (values.size() != count) {
    OnnxCall::refuse("{} has {} entries, it needs {}", name, values.size(), count);
  }
  for (const std::int64_t value : values) {
    if (value < lowest || value >= kLargest) OnnxCall::refuse("{} holds {}", name, value);
  }
  return values;
}

Shape spatial(const Shape& shape) {
  if (shape.size() < 3) {
    OnnxCall::refuse("the input must have a batch, a channel and spatial axes, it is {}",
                     to_string(shape));
  }
  return {shape.begin() + 2, shape.end()};
}

// Strides, dilations, explicit pads and the kernel: what every spatial operator reads first.
OnnxWindows read_sizes(OnnxCall& call, std::size_t count, std::vector<std::int64_t> kernel) {
  OnnxWindows windows;
  const auto attribute = per_axis(call, "kernel_shape", count, 0, 0);
  if (kernel.empty()) kernel = attribute;
  if (call.has_attribute("kernel_shape") && kernel != attribute) {
    OnnxCall::refuse("kernel_shape is {}, the weights' is {}", to_string(attribute),
                     to_string(kernel));
  }
  for (const std::int64_t size : kernel) {
    if (size < 1 || size >= kLargest) OnnxCall::refuse("kernel_shape holds {}", size);
  }
  windows.kernel = std::move(kernel);
  windows.stride = per_axis(call, "strides", count, 1, 1);
  windows.dilation = per_axis(call, "dilations", count, 1, 1);
  const auto pads = per_axis(call, "pads", 2 * count, 0, 0);
  windows.pad_begin.assign(pads.begin(), pads.begin() + static_cast<std::ptrdiff_t>(count));
  windows.pad_end.assign(pads.begin() + static_cast<std::ptrdiff_t>(count), pads.end());
  return windows;
}

enum class AutoPad { explicit_pads, same_upper, same_lower, valid };

AutoPad read_auto_pad(OnnxCall& call) {
  const std::string text = call.text("auto_pad", "NOTSET");
  if (text == "NOTSET" || text.empty()) return AutoPad::explicit_pads;
  if (text == "SAME_UPPER") return AutoPad::same_upper;
  if (text == "SAME_LOWER") return AutoPad::same_lower;
  if (text == "VALID") return AutoPad::valid;
  OnnxCall::refuse("auto_pad must be NOTSET, SAME_UPPER, SAME_LOWER or VALID, not \"{}\"", text);
}

std::int64_t extent(const OnnxWindows& windows, std::size_t k) {
  return (windows.kernel[k] - 1) * windows.dilation[k] + 1;
}

std::vector<std::int64_t> kernel_of(const Shape& input, const Symbol& weight) {
  if (weight.shape.size() != input.size()) {
    OnnxCall::refuse("weights {} do not fit the input {}", to_string(weight.shape),
                     to_string(input));
  }
  return {weight.shape.begin() + 2, weight.shape.end()};
}

std::int64_t read_groups(OnnxCall& call) {
  const std::int64_t groups = call.integer("group", 1);
  if (groups < 1) OnnxCall::refuse("group must be positive, it is {}", groups);
  return groups;
}

Symbol convolve(OnnxCall& call, const Symbol& x, const Symbol& w, const Symbol& b) {
  spatial(x.shape);
  const OnnxWindows windows = read_windows(call, x.shape, kernel_of(x.shape, w));
  Convolution op;
  op.stride = windows.stride;
  op.dilation = windows.dilation;
  op.pad_begin = windows.pad_begin;
  op.pad_end = windows.pad_end;
  op.groups = read_groups(call);
  Symbols inputs = {x, w};
  if (b.present) inputs.push_back(b);
  return call.add(std::move(op), inputs, x.type);
}

Symbols convolution(OnnxCall& call) {
  return {convolve(call, call.in(0), call.in(1), call.optional(2))};
}

Symbols transposed_convolution(OnnxCall& call) {
  const Symbol& x = call.in(0);
  const Symbol& w = call.in(1);
  const Shape size = spatial(x.shape);
  OnnxWindows windows = read_sizes(call, size.size(), kernel_of(x.shape, w));
  const AutoPad auto_pad = read_auto_pad(call);
  auto output_padding = per_axis(call, "output_padding", size.size(), 0, 0);
  auto output = call.integers("output_shape");
  if (output.size() == size.size() + 2) output.erase(output.begin(), output.begin() + 2);
  if (!output.empty() && output.size() != size.size()) {
    OnnxCall::refuse("output_shape has {} entries, it needs {}", output.size(), size.size());
  }
  const bool same = auto_pad == AutoPad::same_upper || auto_pad == AutoPad::same_lower;
  for (std::size_t k = 0; k < size.size(); ++k) {
    if (auto_pad == AutoPad::valid) windows.pad_begin[k] = windows.pad_end[k] = 0;
    if (output.empty() && !same) continue;
    const std::int64_t wanted = output.empty() ? size[k] * windows.stride[k] : output[k];
    if (wanted < 1 || wanted >= kLargest) OnnxCall::refuse("output_shape holds {}", wanted);
    const std::int64_t full =
        windows.stride[k] * (size[k] - 1) + output_padding[k] + extent(windows, k);
    std::int64_t total = full - wanted;
    if (total < 0) {
      output_padding[k] -= total;
      total = 0;
    }
    const std::int64_t half = total / 2;
    windows.pad_begin[k] = auto_pad == AutoPad::same_upper ? half : total - half;
    windows.pad_end[k] = total - windows.pad_begin[k];
  }
  TransposedConvolution op;
  op.stride = windows.stride;
  op.dilation = windows.dilation;
  op.pad_begin = windows.pad_begin;
  op.pad_end = windows.pad_end;
  op.output_padding = output_padding;
  op.groups = read_groups(call);
  Symbols inputs = {x, w};
  if (call.has(2)) inputs.push_back(call.in(2));
  return {call.add(std::move(op), inputs, x.type)};
}

// An integer operand as centered codes; a zero point of a runtime value may be one too.
Symbol centered(OnnxCall& call, std::size_t operand, std::size_t zero_point, std::int64_t axis) {
  const Symbol& x = call.in(operand);
  const double carried = call.zero_points[operand];
  if (!call.has(zero_point)) return dequantize(call, x, carried, {1}, {0}, -1);
  const Symbol& z = call.in(zero_point);
  if (z.is_constant()) {
    return dequantize(call, x, carried, {1}, *z.constant, z.constant->size() > 1 ? axis : -1);
  }
  return call.add(Binary{BinaryFunction::subtract}, {x, z}, ElementType::int32);
}

Symbols convolution_of_integers(OnnxCall& call) {
  const Symbol x = centered(call, 0, 2, -1);
  const Symbol w = centered(call, 1, 3, 0);
  Symbol y = convolve(call, x, w, absent());
  y.type = ElementType::int32;
  return {y};
}

// DequantizeLinear, Conv, QuantizeLinear in one node.
Symbols quantized_convolution(OnnxCall& call) {
  const auto constant = [&](std::size_t i, const char* what) { return call.constant(i, what); };
  const auto x_scale = constant(1, "x_scale");
  const auto w_scale = constant(4, "w_scale");
  const auto w_zero_point = constant(5, "w_zero_point");
  const std::int64_t w_axis = w_scale.size() > 1 || w_zero_point.size() > 1 ? 0 : -1;
  const Symbol x =
      dequantize(call, call.in(0), call.zero_points[0], x_scale, constant(2, "x_zero_point"), -1);
  const Symbol w = dequantize(call, call.in(3), call.zero_points[3], w_scale, w_zero_point, w_axis);
  Symbol b = absent();
  if (call.has(8)) {
    std::vector<double> b_scale;
    for (const double scale : w_scale) b_scale.push_back(scale * x_scale.at(0));
    b = dequantize(call, call.in(8), 0, b_scale, {0}, b_scale.size() > 1 ? 0 : -1);
  }
  const Symbol y = convolve(call, x, w, b);
  call.output_zero_point = call.constant_scalar(7, "y_zero_point");
  return {quantize(call, y, call.in(7).type, {call.constant_scalar(6, "y_scale")},
                   {call.output_zero_point}, -1)};
}

}  // namespace

OnnxWindows read_windows(OnnxCall& call, const Shape& input, std::vector<std::int64_t> kernel) {
  const Shape size = spatial(input);
  OnnxWindows windows = read_sizes(call, size.size(), std::move(kernel));
  const AutoPad auto_pad = read_auto_pad(call);
  const bool ceil_mode = call.integer("ceil_mode", 0) != 0;
  for (std::size_t k = 0; k < size.size(); ++k) {
    const std::int64_t stride = windows.stride[k];
    if (auto_pad == AutoPad::valid) windows.pad_begin[k] = windows.pad_end[k] = 0;
    if (auto_pad == AutoPad::same_upper || auto_pad == AutoPad::same_lower) {
      const std::int64_t output = (size[k] + stride - 1) / stride;
      const std::int64_t total =
          std::max<std::int64_t>((output - 1) * stride + extent(windows, k) - size[k], 0);
      windows.pad_begin[k] = auto_pad == AutoPad::same_upper ? total / 2 : total - total / 2;
      windows.pad_end[k] = total - windows.pad_begin[k];
    }
    const std::int64_t room =
        size[k] + windows.pad_begin[k] + windows.pad_end[k] - extent(windows, k);
    if (room < 0) {
      OnnxCall::refuse("the kernel spans {} elements, the padded input has {}", extent(windows, k),
                       room + extent(windows, k));
    }
    std::int64_t output = (room + (ceil_mode ? stride - 1 : 0)) / stride + 1;
    // A last window that would start beyond the input does not count.
    if (ceil_mode && (output - 1) * stride >= size[k] + windows.pad_begin[k]) --output;
    windows.output.push_back(output);
  }
  return windows;
}

void add_convolution_operators(OnnxOperatorTable& table) {
  table["Conv"] = {convolution};
  table["ConvTranspose"] = {transposed_convolution};
  table["ConvInteger"] = {convolution_of_integers, true};
  table["QLinearConv"] = {quantized_convolution, true};
}

}  // namespace flipscope
