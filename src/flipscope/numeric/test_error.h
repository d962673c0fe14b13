// The messages of errors, for tests.
#pragma once

#include <string>

#include "flipscope/numeric/error.h"

namespace flipscope {

/// What the Error says that `action` throws; "" where it throws none.
template <typename Action>
std::string message_of(Action action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

/// True for one line that begins with a part in brackets.
inline bool is_one_line(const std::string& message) {
  return message.starts_with("[") && message.find('\n') == std::string::npos;
}

}  // namespace flipscope
