// Whole files, in and out.
#include "flipscope/model/file_bytes.h"

#include <cassert>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "flipscope/model/output_file.h"
#include "flipscope/numeric/error.h"

namespace flipscope {

namespace fs = std::filesystem;

std::string read_file_bytes(const std::string& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (!fs::exists(status)) fail("file", "{}: there is no such file", path);
  if (!fs::is_regular_file(status)) fail("file", "{}: is not a regular file", path);
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) fail("file", "{}: cannot be opened ({})", path, std::strerror(errno));
  const std::streamoff size = file.tellg();
  std::string bytes(static_cast<std::size_t>(size), '\0');
  file.seekg(0);
  file.read(bytes.data(), size);
  if (!file || file.gcount() != size) fail("file", "{}: cannot be read to its end", path);
  return bytes;
}

void write_file_atomically(const std::string& path, std::string_view bytes) {
  assert(!path.empty());
  OutputFile file(path);
  file.write(bytes);
  file.finish();
}

}  // namespace flipscope
