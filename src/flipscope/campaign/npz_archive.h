// NumPy arrays in one .npz file, made in memory.
#pragma once

#include <memory>
#include <string>
#include <vector>

struct zip;
struct zip_source;

namespace flipscope {

class NpzArchive {
 public:
  /// `part` names whoever asks in messages.
  explicit NpzArchive(const char* part);
  ~NpzArchive();
  NpzArchive(const NpzArchive&) = delete;
  NpzArchive& operator=(const NpzArchive&) = delete;

  /// Adds an array, the bytes of its .npy file (npy_bytes.h).
  void add(const std::string& name, std::string bytes);

  /// The file's bytes; nothing can be added any more. The same arrays give the same bytes.
  std::string finish();

 private:
  const char* part_;
  zip_source* source_ = nullptr;
  zip* zip_ = nullptr;
  std::vector<std::unique_ptr<std::string>> members_;
};

}  // namespace flipscope
