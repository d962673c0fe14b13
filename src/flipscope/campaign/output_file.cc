// A text that goes to standard output, or to a file at once.
#include "flipscope/campaign/output_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "flipscope/numeric/error.h"

namespace flipscope {

OutputFile::OutputFile(std::string path) : path_(std::move(path)) {
  if (path_.empty()) {
    file_ = stdout;
    return;
  }
  std::error_code error;
  const std::filesystem::file_status status = std::filesystem::status(path_, error);
  if (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status)) {
    fail("export", "{} is not a regular file; name a file to write", path_);
  }
  temporary_ = fmt::format("{}.{}.part", path_, getpid());
  file_ = std::fopen(temporary_.c_str(), "wb");
  if (file_ == nullptr) fail("export", "{} cannot be written: {}", path_, std::strerror(errno));
}

OutputFile::~OutputFile() {
  if (path_.empty() || file_ == nullptr) return;
  std::fclose(file_);
  unlink(temporary_.c_str());
}

void OutputFile::fail_write() const {
  fail("export", "{} cannot be written: {}", path_.empty() ? "standard output" : path_,
       std::strerror(errno));
}

void OutputFile::write(std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), file_) != text.size()) fail_write();
}

void OutputFile::finish() {
  if (std::fflush(file_) != 0) fail_write();
  if (path_.empty()) return;
  if (fsync(fileno(file_)) != 0) fail_write();
  std::FILE* const file = std::exchange(file_, nullptr);
  if (std::fclose(file) != 0 || std::rename(temporary_.c_str(), path_.c_str()) != 0) {
    const int error = errno;
    unlink(temporary_.c_str());
    errno = error;
    fail_write();
  }
}

void check_writable(const std::string& path) {
  const OutputFile probe(path);
}

}  // namespace flipscope
