// A user's mistake, said in one line: what is wrong, where, and what would be right.
#pragma once

#include <fmt/format.h>

#include <stdexcept>
#include <string>
#include <utility>

namespace flipscope {

/// Thrown for everything that a user can cause. The text reads "[part] what is wrong, where, and
/// what would be right"; invariants of the program are asserted instead.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Throws Error with "[part] " before the formatted text.
template <typename... Args>
[[noreturn]] void fail(const char* part, fmt::format_string<Args...> text, Args&&... args) {
  throw Error(fmt::format("[{}] {}", part, fmt::format(text, std::forward<Args>(args)...)));
}

}  // namespace flipscope
