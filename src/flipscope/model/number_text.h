// Numbers as people write them, the same in every locale.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace flipscope {

/// The number that the whole text (but blanks around it) stands for, correctly rounded: "-1.5e3",
/// "+2", "nan", "inf". Nothing where it is not a number or does not fit a double.
std::optional<double> parse_number(std::string_view text);

/// "0.5", "1/255". Throws Error where it is neither, is not finite, or divides by zero.
double parse_number_or_fraction(const std::string& text);

}  // namespace flipscope
