// Numbers as people write them.
#include "flipscope/model/number_text.h"

#include <charconv>
#include <cmath>

#include "flipscope/numeric/error.h"

namespace flipscope {

std::optional<double> parse_number(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t\r");
  if (begin == std::string_view::npos) return {};
  text = text.substr(begin, text.find_last_not_of(" \t\r") - begin + 1);
  if (text.size() > 1 && text[0] == '+' && text[1] != '-') text.remove_prefix(1);
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return {};
  return number;
}

double parse_number_or_fraction(const std::string& text) {
  const std::size_t slash = text.find('/');
  const std::optional<double> top = parse_number(text.substr(0, slash));
  const std::optional<double> bottom =
      slash == std::string::npos ? 1.0 : parse_number(std::string_view(text).substr(slash + 1));
  if (!top || !bottom || *bottom == 0 || !std::isfinite(*top / *bottom)) {
    fail("number", "'{}' is not a number; write one like 0.5 or a fraction like 1/255", text);
  }
  return *top / *bottom;
}

}  // namespace flipscope
