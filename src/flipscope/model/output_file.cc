// A text that goes to standard output, or to a file at once.
#include "flipscope/model/output_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "flipscope/numeric/error.h"

namespace flipscope {

namespace fs = std::filesystem;

OutputFile::OutputFile(std::string path) : path_(std::move(path)), target_(path_) {
  if (path_.empty()) {
    file_ = stdout;
    return;
  }
  std::error_code error;
  const fs::file_status status = fs::status(path_, error);
  if (fs::exists(status)) {
    if (!fs::is_regular_file(status)) {
      fail("export", "{} is not a regular file; name a file to write", path_);
    }
    target_ = fs::canonical(path_, error).string();
    if (error) fail("export", "{} cannot be written: {}", path_, error.message());
  }
  static std::atomic<std::uint64_t> made = 0;
  temporary_ = fmt::format("{}.{}-{}.part", target_, getpid(), made++);
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
  if (std::fclose(file) != 0 || std::rename(temporary_.c_str(), target_.c_str()) != 0) {
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
