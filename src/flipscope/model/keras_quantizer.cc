#include "flipscope/model/keras_quantizer.h"

#include <algorithm>
#include <charconv>
#include <vector>

#include "flipscope/model/keras_quantizer_grid.h"
#include "flipscope/numeric/error.h"

namespace flipscope {
namespace {

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
}  // namespace flipscope
