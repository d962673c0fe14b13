// Lines of comma-separated fields; a quoted field may hold commas, line breaks, and "" for a quote.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace flipscope {

/// The fields of one line, without their quotes.
std::vector<std::string> csv_fields(std::string_view line);

/// One field: quoted where it holds a comma, a quote or a line break.
std::string csv_field(const std::string& text);

}  // namespace flipscope
