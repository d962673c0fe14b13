// Numbers, lists and patterns in the texts that users give.
#pragma once

#include <charconv>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace flipscope {

/// The number that the whole text stands for, without blanks; nothing where it is anything else, or
/// does not fit T.
template <typename T>
std::optional<T> parse_whole(std::string_view text) {
  T number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return {};
  return number;
}

/// What lies between separators: one piece more than there are of them, also where it is empty.
std::vector<std::string> split_text(std::string_view text, char separator = ',');

/// Whether a shell's pattern (*, ?, […]) covers the name.
bool matches_glob(const std::string& name, const std::string& glob);

/// Whether one of them does; true where there are none.
bool matches_any(const std::string& name, const std::vector<std::string>& globs);

}  // namespace flipscope
