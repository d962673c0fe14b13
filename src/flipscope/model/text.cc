// Lists and patterns in the texts that users give.
#include "flipscope/model/text.h"

#include <fnmatch.h>

#include <algorithm>

namespace flipscope {

std::vector<std::string> split_text(std::string_view text, char separator) {
  std::vector<std::string> pieces;
  for (std::size_t from = 0; from <= text.size();) {
    const std::size_t end = std::min(text.find(separator, from), text.size());
    pieces.emplace_back(text.substr(from, end - from));
    from = end + 1;
  }
  return pieces;
}

bool matches_glob(const std::string& name, const std::string& glob) {
  return fnmatch(glob.c_str(), name.c_str(), 0) == 0;
}

bool matches_any(const std::string& name, const std::vector<std::string>& globs) {
  return globs.empty() || std::ranges::any_of(globs, [&](const std::string& glob) {
           return matches_glob(name, glob);
         });
}

}  // namespace flipscope
