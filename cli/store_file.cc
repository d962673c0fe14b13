#include "store_file.h"

#include <fstream>
#include <string_view>

namespace flipscope::cli {

bool is_store(const std::string& path) {
  using namespace std::string_view_literals;
  constexpr std::string_view kHeader = "SQLite format 3\0"sv;
  std::string begin(kHeader.size(), ' ');
  std::ifstream file(path, std::ios::binary);
  return file.read(begin.data(), static_cast<std::streamsize>(begin.size())) && begin == kHeader;
}

}  // namespace flipscope::cli
