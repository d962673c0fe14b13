#include "flipscope/model/keras_archive.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string_view>

#include "flipscope/model/compressed.h"
#include "flipscope/model/file_bytes.h"
#include "flipscope/model/keras_config.h"
#include "flipscope/numeric/error.h"

namespace flipscope {
namespace {

/// A file in memory, for as long as this lives; its path is known to this process and its children.
class MemoryFile {
 public:
  MemoryFile(const std::string& name, std::string_view bytes)
      : descriptor_(memfd_create("flipscope", 0)) {
    bool whole = descriptor_ >= 0;
    while (whole && !bytes.empty()) {
      const ssize_t written = write(descriptor_, bytes.data(), bytes.size());
      whole = written > 0;
      if (whole) bytes.remove_prefix(static_cast<std::size_t>(written));
    }
    if (whole) return;
    const std::string reason = std::strerror(errno);
    if (descriptor_ >= 0) close(descriptor_);
    fail("keras", "{}: no memory for its weights: {}", name, reason);
  }
  ~MemoryFile() { close(descriptor_); }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;

  std::string path() const { return fmt::format("/proc/self/fd/{}", descriptor_); }

 private:
  int descriptor_;
};

}  // namespace

KerasArchive read_keras_archive(const std::string& file) {
  const std::string bytes = read_file_bytes(file);
  const auto member = [&](const char* name) { return read_npz_member(file, bytes, name); };
  const MemoryFile weights(file, member("model.weights.h5"));
  KerasArchive archive{member("config.json"), read_hdf5(weights.path(), file)};
  const ConfigDocument metadata(member("metadata.json"), file);
  archive.weights.texts["@keras_version"] = {metadata.root().text("keras_version", "")};
  return archive;
}

}  // namespace flipscope
