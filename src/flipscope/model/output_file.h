// A text that goes to standard output, or to a file at once.
#pragma once

#include <cstdio>
#include <string>
#include <string_view>

namespace flipscope {

/// Writes to a temporary file beside `path`, or beside what the link `path` leads to; finish()
/// renames it, and without finish() the destructor removes it. An empty path is standard output.
class OutputFile {
 public:
  /// Throws Error where the file cannot be made.
  explicit OutputFile(std::string path);
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  /// Throws Error where the disk is full.
  void write(std::string_view text);
  void finish();

 private:
  [[noreturn]] void fail_write() const;

  std::string path_, target_, temporary_;
  std::FILE* file_ = nullptr;
};

/// For work that is long before it writes: throws Error where this file cannot be made.
void check_writable(const std::string& path);

}  // namespace flipscope
