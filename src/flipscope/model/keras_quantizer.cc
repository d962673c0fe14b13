#include "flipscope/model/keras_quantizer.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <functional>
#include <limits>

#include "flipscope/numeric/error.h"

namespace flipscope {
namespace {

constexpr float kEpsilon = 1e-7f;  ///< Keras's epsilon()
constexpr int kMostBits = 24;      ///< beyond, codes are not exact in float32

/// Parameters in the order in which QKeras takes them by position.
const std::map<std::string, std::vector<std::string>>& parameters() {
  static const std::map<std::string, std::vector<std::string>> table = {
      {"quantized_bits",
       {"bits", "integer", "symmetric", "keep_negative", "alpha", "use_stochastic_rounding",
        "scale_axis", "qnoise_factor", "var_name", "use_ste", "use_variables"}},
      {"quantized_relu",
       {"bits", "integer", "use_sigmoid", "negative_slope", "use_stochastic_rounding",
        "relu_upper_bound", "is_quantized_clip", "qnoise_factor", "var_name", "use_ste",
        "use_variables"}},
      {"quantized_tanh", {"bits", "use_stochastic_rounding", "symmetric", "use_real_tanh"}},
      {"quantized_sigmoid", {"bits", "symmetric", "use_real_sigmoid", "use_stochastic_rounding"}},
      {"quantized_po2",
       {"bits", "max_value", "use_stochastic_rounding", "quadratic_approximation", "log2_rounding",
        "qnoise_factor", "var_name", "use_ste", "use_variables"}},
      {"quantized_relu_po2",
       {"bits", "max_value", "negative_slope", "use_stochastic_rounding", "quadratic_approximation",
        "log2_rounding", "qnoise_factor", "var_name", "use_ste", "use_variables"}},
      {"ternary", {"alpha", "threshold", "use_stochastic_rounding", "number_of_unrolls"}},
      {"stochastic_ternary",
       {"alpha", "threshold", "temperature", "use_real_sigmoid", "number_of_unrolls"}},
      {"binary", {"use_01", "alpha", "use_stochastic_rounding"}},
      {"stochastic_binary", {"alpha", "temperature", "use_real_sigmoid"}},
      {"quantized_hswish",
       {"bits", "integer", "symmetric", "alpha", "use_stochastic_rounding", "scale_axis",
        "qnoise_factor", "var_name", "use_ste", "use_variables", "relu_shift", "relu_upper_bound"}},
  };
  return table;
}

/// Quantizers of QKeras that have no exact meaning here.
bool is_refused(const std::string& name) {
  return name == "quantized_ulaw" || name == "bernoulli" || name == "quantized_linear";
}

[[noreturn]] void refuse(const KerasQuantizer& quantizer, const std::string& why) {
  fail("keras", "{}: quantizer {} {}", quantizer.where, quantizer.name, why);
}

[[noreturn]] void refuse_name(const std::string& where, const std::string& name) {
  std::string names;
  for (const auto& [known, unused] : parameters()) names += (names.empty() ? "" : ", ") + known;
  fail("keras", "{}: quantizer {} is not supported; supported: {}", where, name, names);
}

std::string trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t\n");
  if (begin == std::string_view::npos) return "";
  return std::string(text.substr(begin, text.find_last_not_of(" \t\n") - begin + 1));
}

/// A Python literal: number, True, False, 'text'. Nothing for None.
std::optional<KerasQuantizer::Argument> parse_literal(const std::string& text,
                                                      const std::string& where) {
  if (text == "None") return {};
  if (text == "True") return KerasQuantizer::Argument{1, "", false};
  if (text == "False") return KerasQuantizer::Argument{0, "", false};
  const char quote = text.empty() ? ' ' : text.front();
  if (text.size() >= 2 && (quote == '\'' || quote == '"') && text.back() == quote) {
    return KerasQuantizer::Argument{0, text.substr(1, text.size() - 2), true};
  }
  KerasQuantizer::Argument argument;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), argument.number);
  if (code != std::errc{} || end != text.data() + text.size()) {
    fail("keras", "{}: `{}` in a quantizer is not a number, True, False, None or a quoted text",
         where, text);
  }
  return argument;
}

void set_argument(KerasQuantizer& quantizer, const std::string& name,
                  const std::optional<KerasQuantizer::Argument>& value) {
  const auto& known = parameters().at(quantizer.name);
  if (std::find(known.begin(), known.end(), name) == known.end()) {
    std::string names;
    for (const std::string& one : known) names += (names.empty() ? "" : ", ") + one;
    refuse(quantizer, fmt::format("has no argument `{}`; it has: {}", name, names));
  }
  if (value) quantizer.arguments[name] = *value;
}

std::optional<KerasQuantizer> parse_text(const std::string& text, const std::string& where) {
  const std::size_t open = text.find('(');
  KerasQuantizer quantizer{trimmed(std::string_view(text).substr(0, open)), {}, where};
  if (is_refused(quantizer.name)) refuse_name(where, quantizer.name);
  if (!parameters().contains(quantizer.name)) {
    if (open != std::string::npos) refuse_name(where, quantizer.name);
    return {};
  }
  if (open == std::string::npos) return quantizer;
  const std::size_t close = text.rfind(')');
  if (close == std::string::npos || close < open) {
    fail("keras", "{}: quantizer text `{}` lacks its closing parenthesis", where, text);
  }
  const std::string inside = text.substr(open + 1, close - open - 1);
  if (trimmed(inside).empty()) return quantizer;
  std::size_t position = 0;
  for (std::size_t begin = 0; begin <= inside.size(); ++position) {
    const std::size_t end = std::min(inside.find(',', begin), inside.size());
    const std::string item = inside.substr(begin, end - begin);
    const std::size_t equals = item.find('=');
    if (equals != std::string::npos) {
      set_argument(quantizer, trimmed(std::string_view(item).substr(0, equals)),
                   parse_literal(trimmed(std::string_view(item).substr(equals + 1)), where));
    } else {
      const auto& known = parameters().at(quantizer.name);
      if (position >= known.size()) {
        refuse(quantizer, fmt::format("takes at most {} arguments", known.size()));
      }
      set_argument(quantizer, known[position], parse_literal(trimmed(item), where));
    }
    begin = end + 1;
  }
  return quantizer;
}

/// round(log2(x)) as QKeras computes it: float32 logarithm over float32 log 2.
float rounded_log2(float x) {
  const auto log = static_cast<float>(std::log(static_cast<double>(x)));
  return std::nearbyint(log / static_cast<float>(std::log(2.0)));
}

float power_of_two_near(float scale) {
  return std::exp2(rounded_log2(scale + kEpsilon));
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
  const float size = static_cast<float>(x.size() / count);
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

/// Codes times scale: the values that the codes stand for, and their encoding.
QuantizedTensor on_grid(const Tensor& tensor, const std::vector<float>& codes,
                        const NumberFormat& format, const std::vector<double>& scale,
                        const Groups& groups) {
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

/// The fixed-point grid of quantized_bits and quantized_relu.
struct Grid {
  NumberFormat format;
  double step = 1;
};

int checked_bits(const KerasQuantizer& quantizer, int least) {
  const double bits = quantizer.number("bits", 8);
  if (std::trunc(bits) != bits || bits < least || bits > kMostBits) {
    refuse(quantizer, fmt::format("has {} bits; supported: {} to {}", bits, least, kMostBits));
  }
  return static_cast<int>(bits);
}

int checked_integer(const KerasQuantizer& quantizer) {
  const double integer = quantizer.number("integer", 0);
  if (std::trunc(integer) != integer || std::fabs(integer) > 31) {
    refuse(quantizer, fmt::format("has {} integer bits; supported: -31 to 31", integer));
  }
  return static_cast<int>(integer);
}

Grid fixed_grid(const KerasQuantizer& quantizer) {
  const bool keep_negative = quantizer.flag("keep_negative", true);
  const int bits = checked_bits(quantizer, 1);
  const int integer = checked_integer(quantizer);
  if (keep_negative && bits == 1) return {bipolar_format(), 1};
  const bool symmetric = quantizer.flag("symmetric", false) && keep_negative;
  return {integer_format(bits, keep_negative, symmetric),
          std::ldexp(1.0, integer - (bits - keep_negative))};
}

float encode_as_float(const NumberFormat& format, double x) {
  return static_cast<float>(decode(format, encode(format, x)));
}

double checked_alpha(const KerasQuantizer& quantizer) {
  const double alpha = static_cast<float>(quantizer.number("alpha", 1));
  if (!(alpha > 0) || !std::isfinite(alpha)) {
    refuse(quantizer, fmt::format("has alpha {}; it must be above 0", alpha));
  }
  return alpha;
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
      const auto log = static_cast<float>(std::log(static_cast<double>(size))) /
                       static_cast<float>(std::log(2.0));
      exponent = std::clamp(down ? std::floor(log) : std::nearbyint(log),
                            static_cast<float>(min_exponent), static_cast<float>(max_exponent));
    }
    low = std::min(low, static_cast<int>(exponent));
    high = std::max(high, static_cast<int>(exponent));
    codes[i] = std::exp2(exponent) * (is_signed && x[i] < 0 ? -1.0f : 1.0f);
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

void check_noise(const KerasQuantizer& quantizer) {
  const double noise = quantizer.number("qnoise_factor", 1);
  if (noise != 1) {
    refuse(quantizer,
           fmt::format("has qnoise_factor {}; only 1 (fully quantized) is supported", noise));
  }
}

/// How quantized_relu clips and which grid its result lies on.
struct ReluGrid {
  Grid grid;
  double lowest = 0;                ///< of the result
  std::optional<double> highest{};  ///< where relu_upper_bound cuts below the grid's end
  double slope = 0;
};

ReluGrid relu_grid(const KerasQuantizer& quantizer) {
  ReluGrid relu;
  relu.slope = quantizer.number("negative_slope", 0);
  const bool is_signed = relu.slope != 0;
  const int bits = checked_bits(quantizer, 1 + is_signed);
  const int integer = checked_integer(quantizer);
  relu.grid = {integer_format(bits, is_signed), std::ldexp(1.0, integer - (bits - is_signed))};
  if (is_signed) {
    int exponent = 0;
    const bool exact = std::frexp(relu.slope, &exponent) == 0.5;
    relu.lowest = -relu.slope * std::ldexp(1.0, integer);
    if (!exact || relu.slope > 1 || relu.lowest > -relu.grid.step) {
      refuse(quantizer,
             fmt::format("has negative_slope {}; supported: powers of two from 2^{} to 1",
                         relu.slope, 1 - bits));
    }
  }
  if (!quantizer.flag("is_quantized_clip", true) && quantizer.flag("relu_upper_bound", false)) {
    const double bound = static_cast<float>(quantizer.number("relu_upper_bound", 0));
    if (bound < highest(relu.grid.format) * relu.grid.step) {
      if (bound < 0 || std::fmod(bound, relu.grid.step) != 0) {
        refuse(quantizer, fmt::format("has relu_upper_bound {}, which is not on its grid of {}",
                                      bound, relu.grid.step));
      }
      relu.highest = bound;
    }
  }
  return relu;
}

// Operators, one line each.
class Composer {
 public:
  Composer(GraphBuilder& builder, const std::string& node) : builder_(builder), node_(node) {}

  Symbol unary(UnaryFunction function, const Symbol& x, double alpha = 0, double beta = 0) {
    return builder_.add(node_, Unary{function, alpha, beta}, {x});
  }
  Symbol binary(BinaryFunction function, const Symbol& x, double operand) {
    return builder_.add(node_, Binary{function}, {x, literal(operand)});
  }
  Symbol binary(BinaryFunction function, const Symbol& x, const Symbol& y) {
    return builder_.add(node_, Binary{function}, {x, y});
  }
  Symbol literal(double value) { return builder_.literal({ElementType::float32, {1}, {value}}); }
  Symbol at_most(const Symbol& x, double bound) {
    return binary(BinaryFunction::minimum, x, bound);
  }
  Symbol at_least(const Symbol& x, double bound) {
    return binary(BinaryFunction::maximum, x, bound);
  }
  /// To the codes of `format` in steps of `step`; they then stand for `scale`.
  Symbol quantize(const Symbol& x, const NumberFormat& format, double step, double scale) {
    const Encoding encoding{format, {step}, {0.0}, -1};
    if (step == scale) return builder_.fake_quantize(node_, x, encoding, true);
    const Symbol codes = builder_.add(node_, Quantize{encoding, true}, {x});
    return builder_.add(node_, Dequantize{{scale}, -1}, {codes});
  }
  /// clip(x/2 + 1/2, 0, 1) of x/unit, QKeras's sigmoid.
  Symbol hard_sigmoid(const Symbol& x, double unit = 1) {
    return unary(UnaryFunction::hard_sigmoid, x, 0.5 / unit, 0.5);
  }

 private:
  GraphBuilder& builder_;
  const std::string& node_;
};

Symbol sigmoid_relu(Composer& compose, const Symbol& x, const KerasQuantizer& quantizer) {
  const ReluGrid relu = relu_grid(quantizer);
  if (relu.slope != 0 || relu.highest) {
    refuse(quantizer, "with use_sigmoid supports neither negative_slope nor relu_upper_bound");
  }
  const int bits = relu.grid.format.bits;
  const double unit = std::ldexp(relu.grid.step, bits);
  const double step = std::ldexp(1.0, -bits);
  const Symbol p =
      compose.quantize(compose.hard_sigmoid(x, unit), integer_format(bits + 1, false), step, step);
  const Symbol spread =
      compose.binary(BinaryFunction::add, compose.binary(BinaryFunction::multiply, p, 2.0), -1.0);
  return compose.quantize(spread, relu.grid.format, step, relu.grid.step);
}

Symbol fixed_activation(Composer& compose, const Symbol& x, const KerasQuantizer& quantizer) {
  const Grid grid = fixed_grid(quantizer);
  return compose.quantize(x, grid.format, grid.step, grid.step * checked_alpha(quantizer));
}

Symbol hard_swish(Composer& compose, const Symbol& x, const KerasQuantizer& quantizer) {
  const double shift = quantizer.number("relu_shift", 3);
  const double bound = quantizer.number("relu_upper_bound", 6);
  if (!(shift > 0) || !(bound > 0)) {
    refuse(quantizer, "needs relu_shift and relu_upper_bound above 0");
  }
  const Symbol shifted = compose.binary(BinaryFunction::add, x, shift);
  const Symbol gate = compose.at_least(compose.at_most(shifted, bound), 0.0);
  const Symbol product = compose.binary(BinaryFunction::multiply, x, gate);
  return fixed_activation(compose, compose.binary(BinaryFunction::divide, product, bound),
                          quantizer);
}

}  // namespace

double KerasQuantizer::number(const std::string& argument, double otherwise) const {
  const auto found = arguments.find(argument);
  if (found == arguments.end()) return otherwise;
  if (found->second.is_text) {
    fail("keras", "{}: quantizer {}: `{}` must be a number, got \"{}\"", where, name, argument,
         found->second.text);
  }
  return found->second.number;
}

std::string KerasQuantizer::automatic_scale() const {
  const auto found = arguments.find("alpha");
  if (found == arguments.end() || !found->second.is_text) return "";
  const std::string& text = found->second.text;
  if (text != "auto" && text != "auto_po2") {
    fail("keras", "{}: quantizer {}: alpha must be a number, \"auto\" or \"auto_po2\", got \"{}\"",
         where, name, text);
  }
  return text;
}

std::optional<KerasQuantizer> parse_keras_quantizer(const Config& config) {
  if (config.is_text()) return parse_text(config.text("quantizer"), config.where());
  if (!config.is_object()) return {};
  KerasQuantizer quantizer{config.text("class_name", ""), {}, config.where()};
  if (is_refused(quantizer.name)) refuse_name(quantizer.where, quantizer.name);
  if (!parameters().contains(quantizer.name)) return {};
  const Config arguments = config["config"];
  for (const std::string& key : arguments.keys()) {
    const Config value = arguments[key];
    if (key == "name" || key == "dtype") continue;
    std::optional<KerasQuantizer::Argument> argument;
    if (value.is_text()) {
      argument = KerasQuantizer::Argument{0, value.text(std::string_view(key)), true};
    } else if (!value.is_null()) {
      argument = KerasQuantizer::Argument{value.number(std::string_view(key)), "", false};
    }
    set_argument(quantizer, key, argument);
  }
  return quantizer;
}

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

Symbol quantize_activation(GraphBuilder& builder, const std::string& node, const Symbol& x,
                           const KerasQuantizer& quantizer) {
  check_noise(quantizer);
  Composer compose(builder, node);
  const std::string& name = quantizer.name;
  if (!quantizer.automatic_scale().empty()) {
    refuse(quantizer, "with an automatic alpha depends on the batch; activations need a number");
  }
  if (name == "quantized_bits") return fixed_activation(compose, x, quantizer);
  if (name == "quantized_hswish") return hard_swish(compose, x, quantizer);
  if (name == "quantized_relu") {
    if (quantizer.flag("use_sigmoid", false)) return sigmoid_relu(compose, x, quantizer);
    const ReluGrid relu = relu_grid(quantizer);
    Symbol y = x;
    if (relu.slope != 0) {
      y = compose.at_least(compose.unary(UnaryFunction::leaky_relu, y, relu.slope), relu.lowest);
    }
    if (relu.highest) y = compose.at_most(y, *relu.highest);
    return compose.quantize(y, relu.grid.format, relu.grid.step, relu.grid.step);
  }
  if (name == "quantized_tanh") {
    if (quantizer.flag("use_real_tanh", false)) {
      refuse(quantizer, "with use_real_tanh has no exact meaning; supported: the hard tanh");
    }
    const int bits = checked_bits(quantizer, 2);
    const double step = std::ldexp(1.0, 1 - bits);
    const Symbol p = compose.binary(
        BinaryFunction::add, compose.binary(BinaryFunction::multiply, compose.hard_sigmoid(x), 2.0),
        -1.0);
    return compose.quantize(p, integer_format(bits, true, quantizer.flag("symmetric", false)), step,
                            step);
  }
  if (name == "quantized_sigmoid") {
    if (quantizer.flag("use_real_sigmoid", false)) {
      refuse(quantizer, "with use_real_sigmoid has no exact meaning; supported: the hard sigmoid");
    }
    const int bits = checked_bits(quantizer, 1);
    const double step = std::ldexp(1.0, -bits);
    Symbol p = compose.hard_sigmoid(x);
    if (quantizer.flag("symmetric", false)) p = compose.at_least(p, step);
    return compose.quantize(p, integer_format(bits, false), step, step);
  }
  if (name == "ternary" || name == "stochastic_ternary") {
    const double threshold = static_cast<float>(quantizer.number("threshold", 0.33));
    if (!(threshold > 0)) refuse(quantizer, "needs a threshold above 0");
    NumberFormat format = integer_format(2, true, true);
    format.rounding = Rounding::half_away_from_zero;
    return compose.quantize(x, format, 2 * threshold, checked_alpha(quantizer));
  }
  if (name == "binary" || name == "stochastic_binary") {
    const double alpha = checked_alpha(quantizer);
    if (!quantizer.flag("use_01", false)) return compose.quantize(x, bipolar_format(), 1, alpha);
    const Symbol bit = compose.binary(BinaryFunction::greater_or_equal, x, 0.0);
    return compose.quantize(bit, integer_format(1, false), 1, alpha);
  }
  refuse(quantizer,
         "is not supported for activations; supported: quantized_bits, quantized_relu, "
         "quantized_tanh, quantized_sigmoid, quantized_hswish, ternary, stochastic_ternary, "
         "binary, stochastic_binary");
}

}  // namespace flipscope
