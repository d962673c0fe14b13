#include "flipscope/model/onnx_element_formats.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "flipscope/model/element_formats.h"

namespace flipscope {
namespace {

constexpr std::size_t kScale = 1, kZeroPoint = 2, kWidth = 3, kSigns = 4;

/// The numbers of an input that broadcasts to x, one for each element of x.
std::vector<double> by_element(OnnxCall& call, std::size_t input, const char* what) {
  const std::vector<double>& numbers = call.constant(input, what);
  const Shape& shape = call.in(0).shape;
  const Shape& own = call.in(input).shape;
  const std::size_t missing = shape.size() - std::min(own.size(), shape.size());
  bool fits = own.size() <= shape.size();
  for (std::size_t k = 0; fits && k < own.size(); ++k) {
    fits = own[k] == 1 || own[k] == shape[missing + k];
  }
  if (!fits) OnnxCall::refuse("{} {} does not fit {}", what, to_string(own), to_string(shape));
  const Shape step = strides_of(shape), own_step = strides_of(own);
  std::vector<double> result(static_cast<std::size_t>(element_count(shape)));
  for (std::size_t i = 0; i < result.size(); ++i) {
    std::int64_t at = 0;
    for (std::size_t k = 0; k < own.size(); ++k) {
      const std::int64_t place = static_cast<std::int64_t>(i) / step[missing + k];
      if (own[k] > 1) at += place % own[k] * own_step[k];
    }
    result[i] = numbers[static_cast<std::size_t>(at)];
  }
  return result;
}

std::vector<int> varying_axes(const Symbol& x, const Symbol& parameter) {
  std::vector<int> axes;
  const std::size_t missing = x.shape.size() - std::min(x.shape.size(), parameter.shape.size());
  for (std::size_t k = 0; k < parameter.shape.size(); ++k) {
    if (parameter.shape[k] != 1) axes.push_back(static_cast<int>(missing + k));
  }
  return axes;
}

/// The one axis that scale and zero point vary along; −1: none, or several.
int common_axis(OnnxCall& call) {
  std::vector<int> axes = varying_axes(call.in(0), call.in(kScale));
  const std::vector<int> more = varying_axes(call.in(0), call.in(kZeroPoint));
  axes.insert(axes.end(), more.begin(), more.end());
  const bool one = !axes.empty() && std::ranges::count(axes, axes[0]) == std::ssize(axes);
  return one ? axes[0] : -1;
}

}  // namespace

bool has_element_formats(OnnxCall& call) {
  const std::vector<double>& widths = call.constant(kWidth, "bitwidth");
  if (widths.empty()) OnnxCall::refuse("bitwidth is empty");
  const bool alike =
      std::ranges::adjacent_find(widths, std::ranges::not_equal_to()) == widths.end();
  const bool pruned = widths.front() == 0 && call.in(0).is_constant();
  return call.has(kSigns) || !alike || pruned ||
         varying_axes(call.in(0), call.in(kScale)).size() > 1;
}

Symbol quantize_by_element(OnnxCall& call, const NumberFormat& format) {
  const Symbol& x = call.in(0);
  if (!x.is_constant()) {
    OnnxCall::refuse("formats of elements are for constants; other values have one bitwidth");
  }
  ElementFormats formats{.format = format,
                         .bits = {},
                         .is_signed = {},
                         .scale = by_element(call, kScale, "scale"),
                         .zero_point = by_element(call, kZeroPoint, "the zero point"),
                         .axis = common_axis(call)};
  for (const double scale : formats.scale) {
    if (!(scale > 0) || !std::isfinite(scale)) {
      OnnxCall::refuse("scale must be positive, it holds {}", scale);
    }
  }
  for (const double bits : by_element(call, kWidth, "bitwidth")) {
    if (!(bits >= 0) || bits > 32 || bits != std::floor(bits)) {
      OnnxCall::refuse("bitwidths of elements must be integers from 0 to 32, they hold {}", bits);
    }
    if (format.narrow && bits == 1) {
      OnnxCall::refuse("a narrow range of one bit has one value only");
    }
    formats.bits.push_back(static_cast<int>(bits));
  }
  formats.is_signed.assign(formats.bits.size(), format.is_signed);
  if (call.has(kSigns)) {
    const std::vector<double> signs = by_element(call, kSigns, "signs");
    for (std::size_t i = 0; i < signs.size(); ++i) formats.is_signed[i] = signs[i] != 0;
  }
  return quantize_elements(call.builder, call.node.name, x, formats);
}

}  // namespace flipscope
