// A --config file: options by their names, at the top or in a section named as a verb.
#pragma once

#include <cstddef>
#include <istream>
#include <string>
#include <vector>

namespace flipscope::cli {

/// One line `name = value`.
struct ConfigLine {
  std::string section;  ///< empty: at the top
  std::string name;
  std::vector<std::string> values;  ///< one, or those of an array
  std::string where;                ///< file:line
};

/// The options that a TOML file sets, in the order of their names; `file` names it in messages.
/// Throws Error("[usage] FILE:LINE: …") where it is no TOML, a section is none of `verbs`, or a
/// value is neither text, number, true or false, nor an array of these.
std::vector<ConfigLine> read_config(std::istream& input, const std::string& file,
                                    const std::vector<std::string>& verbs);

}  // namespace flipscope::cli
