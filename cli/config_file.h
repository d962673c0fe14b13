// A --config file: options by their names, at the top or in a section named as a verb.
#pragma once

#include <cstddef>
#include <istream>
#include <string>
#include <vector>

namespace flipscope::cli {

/// One line `name = value` of TOML.
struct ConfigLine {
  std::string section;  ///< empty: at the top
  std::string name;
  std::vector<std::string> values;  ///< one, or those of an array
  std::string where;                ///< file:line
};

/// Reads what TOML calls bare and dotted keys, strings of one line, words without quotes, arrays of
/// these, [sections] and comments. `file` names it in messages. A section that is none of `verbs`
/// is a mistake. Throws Error("[usage] …").
std::vector<ConfigLine> read_config(std::istream& input, const std::string& file,
                                    const std::vector<std::string>& verbs);

}  // namespace flipscope::cli
