// What QKeras's quantizers make of stored weights, in the float32 arithmetic of QKeras.
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "flipscope/model/keras_quantizer.h"
#include "flipscope/model/keras_quantizer_grid.h"
#include "flipscope/numeric/deterministic_math.h"
#include "flipscope/numeric/error.h"

namespace flipscope {
namespace {

constexpr float kEpsilon = 1e-7f;  ///< Keras's epsilon()

/// round(log2(x)) as QKeras computes it: float32 logarithm over float32 log 2.
float rounded_log2(float x) {
  const auto log = static_cast<float>(det::log(static_cast<double>(x)));
  return std::nearbyint(log / static_cast<float>(det::log(2.0)));
}

float power_of_two_near(float scale) {
  return det::exp2(rounded_log2(scale + kEpsilon));
}

/// The elements of each index along `axis` (or all as one group), in C order.
struct Groups {
  std::int64_t count = 1;  ///< number of groups
  std::int64_t inner = 1;
  int axis = -1;

  std::size_t of(std::int64_t i) const { return static_cast<std::size_t>(i / inner % count); }
};

Groups one_group() {
  return {1, 1, -1};
}

Groups groups_along(const Shape& shape, int axis) {
  Groups groups{shape[static_cast<std::size_t>(axis)], 1, axis};
  for (std::size_t i = static_cast<std::size_t>(axis) + 1; i < shape.size(); ++i) {
    groups.inner *= shape[i];
  }
  return groups;
}

int scale_axis(const KerasQuantizer& quantizer, const Shape& shape) {
  const int rank = static_cast<int>(shape.size());
  const int axis = static_cast<int>(quantizer.number("scale_axis", rank - 1));
  if (axis < 0 || axis >= rank) {
    refuse(quantizer, fmt::format("has scale_axis {}; the tensor has {} axes", axis, rank));
  }
  return axis;
}

std::vector<float> largest_magnitudes(const std::vector<float>& x, const Groups& groups) {
  std::vector<float> most(static_cast<std::size_t>(groups.count), 0);
  for (std::size_t i = 0; i < x.size(); ++i) {
    float& m = most[groups.of(static_cast<std::int64_t>(i))];
    m = std::max(m, std::fabs(x[i]));
  }
  return most;
}

/// mean(x·q)/(mean(q·q) + ε) for each group, and the nearest power of two of that if asked.
std::vector<float> least_squares(const std::vector<float>& x, const std::vector<float>& q,
                                 const Groups& groups, bool power_of_two) {
  const auto count = static_cast<std::size_t>(groups.count);
  const std::size_t each = x.size() / count;
  const float size = static_cast<float>(each);
  std::vector<float> xq(count, 0), qq(count, 0), scale(count);
  for (std::size_t i = 0; i < x.size(); ++i) {
    const std::size_t g = groups.of(static_cast<std::int64_t>(i));
    xq[g] += x[i] * q[i];
    qq[g] += q[i] * q[i];
  }
  for (std::size_t g = 0; g < count; ++g) {
    scale[g] = (xq[g] / size) / (qq[g] / size + kEpsilon);
    if (power_of_two) scale[g] = power_of_two_near(scale[g]);
  }
  return scale;
}

/// Codes times scale: the values that the codes stand for, and their encoding. A scale of 0 (a
/// channel of zeros) becomes the smallest normal number, so that codes can still be told apart.
QuantizedTensor on_grid(const Tensor& tensor, const std::vector<float>& codes,
                        const NumberFormat& format, std::vector<double> scale,
                        const Groups& groups) {
  for (double& s : scale) s = s == 0 ? static_cast<double>(std::numeric_limits<float>::min()) : s;
  QuantizedTensor result{{ElementType::float32, tensor.shape, {}}, {}};
  result.encoding = {format, scale, {0.0}, scale.size() > 1 ? groups.axis : -1};
  result.values.data.resize(codes.size());
  for (std::size_t i = 0; i < codes.size(); ++i) {
    const std::size_t g = scale.size() > 1 ? groups.of(static_cast<std::int64_t>(i)) : 0;
    result.values.data[i] = static_cast<double>(codes[i]) * scale[g];
  }
  return result;
}

std::vector<double> widened(const std::vector<float>& values, double factor = 1) {
  std::vector<double> wide(values.size());
  std::transform(values.begin(), values.end(), wide.begin(),
                 [factor](float v) { return static_cast<double>(v) * factor; });
  return wide;
}
float encode_as_float(const NumberFormat& format, double x) {
  return static_cast<float>(decode(format, encode(format, x)));
}
/// quantized_bits with alpha "auto" or "auto_po2".
QuantizedTensor scaled_bits(const KerasQuantizer& quantizer, const Tensor& tensor,
                            std::vector<float> x, bool power_of_two) {
  const int bits = checked_bits(quantizer, 2);
  const double unit = std::ldexp(1.0, checked_integer(quantizer));
  const float levels = static_cast<float>((1 << (bits - 1)) - 1);
  const bool vector = tensor.shape.size() < 2;
  const Groups groups =
      vector ? one_group() : groups_along(tensor.shape, scale_axis(quantizer, tensor.shape));
  const Groups fitted = vector ? groups_along(tensor.shape, 0) : groups;
  for (float& value : x) value = static_cast<float>(value / unit);

  std::vector<float> scale = largest_magnitudes(x, groups);
  for (float& s : scale) s = s * 2 / (levels * 2);
  std::vector<float> codes(x.size());
  const auto assign_codes = [&](const Groups& by) {
    for (std::size_t i = 0; i < x.size(); ++i) {
      const float v =
          std::floor(std::fabs(x[i]) / scale[by.of(static_cast<std::int64_t>(i))] + 0.5f);
      const float sign = x[i] > 0 ? 1.0f : x[i] < 0 ? -1.0f : 0.0f;
      codes[i] = sign * (v < levels ? v : levels);
    }
  };
  if (!power_of_two) {
    assign_codes(groups);
    return on_grid(tensor, codes, integer_format(bits, true, true), widened(scale, unit), groups);
  }
  for (float& s : scale) s = power_of_two_near(s);
  for (int round = 0; round < 5; ++round) {
    assign_codes(round == 0 ? groups : fitted);
    scale = least_squares(x, codes, fitted, true);
  }
  return on_grid(tensor, codes, integer_format(bits, true, true), widened(scale, unit), fitted);
}

QuantizedTensor ternary_weights(const KerasQuantizer& quantizer, const Tensor& tensor,
                                const std::vector<float>& x, const std::string& automatic) {
  const NumberFormat format = integer_format(2, true, true);
  std::vector<float> codes(x.size());
  const auto sign = [](float v) { return v > 0 ? 1.0f : v < 0 ? -1.0f : 0.0f; };
  if (automatic.empty()) {
    const auto threshold = static_cast<float>(quantizer.number("threshold", 0.33));
    for (std::size_t i = 0; i < x.size(); ++i) {
      codes[i] = std::fabs(x[i]) >= threshold ? sign(x[i]) : 0.0f;
    }
    return on_grid(tensor, codes, format, {checked_alpha(quantizer)}, one_group());
  }
  if (quantizer.arguments.contains("threshold")) {
    refuse(quantizer, "cannot have both an automatic alpha and a threshold");
  }
  const double unrolls = quantizer.number("number_of_unrolls", 5);
  if (!(unrolls >= 1 && unrolls <= 1000)) {
    refuse(quantizer, fmt::format("has number_of_unrolls {}; supported: 1 to 1000", unrolls));
  }
  const bool power_of_two = automatic == "auto_po2";
  const bool vector = tensor.shape.size() < 2;
  const int last = static_cast<int>(tensor.shape.size()) - 1;
  const Groups groups = vector ? one_group() : groups_along(tensor.shape, last);
  const Groups fitted = groups_along(tensor.shape, last);
  std::vector<float> scale = largest_magnitudes(x, groups);
  for (float& s : scale) {
    s = 2 * s / 3.0f;
    if (power_of_two) s = power_of_two_near(s);
  }
  for (int round = 0; round < static_cast<int>(unrolls); ++round) {
    const Groups& by = round == 0 ? groups : fitted;
    for (std::size_t i = 0; i < x.size(); ++i) {
      const float s = scale[by.of(static_cast<std::int64_t>(i))];
      const float v = s * std::nearbyint(x[i] / s);
      codes[i] = std::fabs(v) >= s / 2.0f ? sign(x[i]) : 0.0f;
    }
    scale = least_squares(x, codes, fitted, power_of_two);
  }
  return on_grid(tensor, codes, format, widened(scale), fitted);
}

QuantizedTensor binary_weights(const KerasQuantizer& quantizer, const Tensor& tensor,
                               const std::vector<float>& x, const std::string& automatic) {
  const bool zero_one = quantizer.flag("use_01", false);
  const NumberFormat format = zero_one ? integer_format(1, false) : bipolar_format();
  std::vector<float> codes(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) codes[i] = x[i] >= 0 ? 1.0f : zero_one ? 0.0f : -1.0f;
  if (automatic.empty()) {
    return on_grid(tensor, codes, format, {checked_alpha(quantizer)}, one_group());
  }
  const Groups groups = groups_along(tensor.shape, static_cast<int>(tensor.shape.size()) - 1);
  return on_grid(tensor, codes, format,
                 widened(least_squares(x, codes, groups, automatic == "auto_po2")), groups);
}

/// quantized_po2 and quantized_relu_po2: the nearest power of two in the logarithm.
QuantizedTensor power_of_two_weights(const KerasQuantizer& quantizer, const Tensor& tensor,
                                     const std::vector<float>& x) {
  const bool is_signed = quantizer.name == "quantized_po2";
  if (quantizer.flag("quadratic_approximation", false)) {
    refuse(quantizer, "with quadratic_approximation is not supported");
  }
  if (quantizer.number("negative_slope", 0) != 0) {
    refuse(quantizer, "with a negative_slope is not supported");
  }
  const auto rounding = quantizer.arguments.find("log2_rounding");
  const bool down = rounding != quantizer.arguments.end() && rounding->second.text == "floor";
  if (rounding != quantizer.arguments.end() && !down && rounding->second.text != "rnd") {
    refuse(quantizer, "has a log2_rounding that is neither \"rnd\" nor \"floor\"");
  }
  const bool bounded = quantizer.arguments.contains("max_value");
  const auto most = static_cast<float>(quantizer.number("max_value", 0));
  if (bounded && !(most > 0)) refuse(quantizer, "needs a max_value above 0");
  const bool exponent_sign = !bounded || most > 1;
  const int bits = checked_bits(quantizer, is_signed + exponent_sign + 0);
  const int exponent_bits = bits - is_signed;
  if (bits - is_signed - exponent_sign > 6) {
    refuse(quantizer, fmt::format("has {} bits; its powers of two go beyond float32", bits));
  }
  const int min_exponent = -(1 << (exponent_bits - exponent_sign));
  const int max_exponent = (1 << (exponent_bits - exponent_sign)) - 1;

  std::vector<float> codes(x.size());
  int low = max_exponent, high = min_exponent;
  for (std::size_t i = 0; i < x.size(); ++i) {
    float size = is_signed ? std::fabs(x[i]) : std::max(x[i], 0.0f);
    float exponent = static_cast<float>(min_exponent);
    if (size >= kEpsilon) {
      if (bounded) size = std::min(size, most);
      const auto log = static_cast<float>(det::log(static_cast<double>(size))) /
                       static_cast<float>(det::log(2.0));
      exponent = std::clamp(down ? std::floor(log) : std::nearbyint(log),
                            static_cast<float>(min_exponent), static_cast<float>(max_exponent));
    }
    low = std::min(low, static_cast<int>(exponent));
    high = std::max(high, static_cast<int>(exponent));
    codes[i] = det::exp2(exponent) * (is_signed && x[i] < 0 ? -1.0f : 1.0f);
  }
  // With max_value = 1 there is one exponent more than codes: the format then lacks the lowest.
  NumberFormat format;
  format.kind = NumberFormat::Kind::power_of_two;
  format.bits = bits;
  format.is_signed = is_signed;
  format.min_exponent = std::max(min_exponent, high - ((1 << exponent_bits) - 1));
  if (low < format.min_exponent) {
    refuse(quantizer, fmt::format("needs the exponents {}..{}, more than its {} bits hold", low,
                                  high, exponent_bits));
  }
  return on_grid(tensor, codes, format, {1.0}, one_group());
}
}  // namespace

QuantizedTensor quantize_weights(const KerasQuantizer& quantizer, const Tensor& tensor,
                                 bool kernel) {
  check_noise(quantizer);
  std::vector<float> x(tensor.data.size());
  std::transform(tensor.data.begin(), tensor.data.end(), x.begin(),
                 [](double v) { return static_cast<float>(v); });
  if (x.empty()) refuse(quantizer, "meets an empty tensor");
  for (const float value : x) {
    if (!std::isfinite(value)) refuse(quantizer, "meets a weight that is NaN or infinite");
  }
  const std::string& name = quantizer.name;
  std::string automatic = quantizer.automatic_scale();
  const bool scalable =
      name == "quantized_bits" || name.ends_with("ternary") || name.ends_with("binary");
  if (kernel && scalable && !quantizer.arguments.contains("alpha")) automatic = "auto_po2";
  if (!automatic.empty() && tensor.shape.empty()) {
    refuse(quantizer, "cannot scale a single number by itself");
  }

  if (name == "quantized_bits") {
    if (!automatic.empty()) return scaled_bits(quantizer, tensor, x, automatic == "auto_po2");
    const Grid grid = fixed_grid(quantizer);
    std::vector<float> codes(x.size());
    std::transform(x.begin(), x.end(), codes.begin(),
                   [&](float v) { return encode_as_float(grid.format, v / grid.step); });
    return on_grid(tensor, codes, grid.format, {grid.step * checked_alpha(quantizer)}, one_group());
  }
  if (name == "ternary" || name == "stochastic_ternary") {
    return ternary_weights(quantizer, tensor, x, automatic);
  }
  if (name == "binary" || name == "stochastic_binary") {
    return binary_weights(quantizer, tensor, x, automatic);
  }
  if (name == "quantized_po2" || name == "quantized_relu_po2") {
    return power_of_two_weights(quantizer, tensor, x);
  }
  if (name == "quantized_relu" && !quantizer.flag("use_sigmoid", false)) {
    const ReluGrid relu = relu_grid(quantizer);
    std::vector<float> codes(x.size());
    std::transform(x.begin(), x.end(), codes.begin(), [&](float v) {
      const double leaky = v < 0 ? v * relu.slope : static_cast<double>(v);
      const double cut =
          std::max(relu.highest ? std::min(leaky, *relu.highest) : leaky, relu.lowest);
      return encode_as_float(relu.grid.format, cut / relu.grid.step);
    });
    return on_grid(tensor, codes, relu.grid.format, {relu.grid.step}, one_group());
  }
  refuse(quantizer,
         "is not supported for weights; supported: quantized_bits, quantized_relu "
         "without use_sigmoid, quantized_po2, quantized_relu_po2, ternary, "
         "stochastic_ternary, binary, stochastic_binary");
}
}  // namespace flipscope
