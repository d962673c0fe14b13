// Conditions that a user writes.
#include "flipscope/score/condition.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "flipscope/model/number_text.h"
#include "flipscope/numeric/error.h"

namespace flipscope {
namespace {

std::string trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return "";
  return std::string(text.substr(begin, text.find_last_not_of(" \t") - begin + 1));
}

}  // namespace

bool Condition::operator()(double value) const {
  switch (comparison) {
    case Comparison::less:
      return value < bound;
    case Comparison::less_equal:
      return value <= bound;
    case Comparison::greater:
      return value > bound;
    case Comparison::greater_equal:
      return value >= bound;
    case Comparison::equal:
      return value == bound;
    case Comparison::not_equal:
      return value != bound;
  }
  assert(false);
  return false;
}

Condition parse_condition(const std::string& option, const std::string& text,
                          std::span<const std::string_view> names) {
  using enum Condition::Comparison;
  static constexpr std::pair<std::string_view, Condition::Comparison> kComparisons[] = {
      {"<=", less_equal}, {">=", greater_equal}, {"==", equal},
      {"!=", not_equal},  {"<", less},           {">", greater},
  };
  std::string known;
  for (const std::string_view name : names)
    known += fmt::format("{}{}", known.empty() ? "" : ", ", name);
  const std::size_t at = text.find_first_of("<>=!");
  if (at != std::string::npos) {
    for (const auto& [sign, comparison] : kComparisons) {
      if (text.compare(at, sign.size(), sign) != 0) continue;
      const std::string name = trimmed(std::string_view(text).substr(0, at));
      const std::string bound = trimmed(std::string_view(text).substr(at + sign.size()));
      if (std::ranges::find(names, name) == names.end() || bound.empty()) break;
      return {name, comparison, parse_number_or_fraction(bound)};
    }
  }
  fail("condition",
       "{} '{}' is not understood; write NAME>NUMBER with < <= > >= == != and one of: {}", option,
       text, known);
}

}  // namespace flipscope
