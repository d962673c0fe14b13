// Conditions that a user writes: "delta>0", "score >= 1.5", "sdc>1/100".
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace flipscope {

struct Condition {
  enum class Comparison { less, less_equal, greater, greater_equal, equal, not_equal };
  std::string name;
  Comparison comparison = Comparison::greater;
  double bound = 0;

  /// Whether `value` meets it. NaN meets only !=.
  bool operator()(double value) const;
};

/// NAME, one of < <= > >= == !=, a number or fraction. Throws Error that quotes `option` and lists
/// `names`, the names that there are, where the text is anything else.
Condition parse_condition(const std::string& option, const std::string& text,
                          std::span<const std::string_view> names);

}  // namespace flipscope
