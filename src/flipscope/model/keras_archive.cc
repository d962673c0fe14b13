#include "flipscope/model/keras_archive.h"

#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string_view>

#include "flipscope/model/compressed.h"
#include "flipscope/model/file_bytes.h"
#include "flipscope/model/keras_config.h"
#include "flipscope/numeric/error.h"

namespace flipscope {
namespace {

/// A file with these bytes, for as long as this lives: HDF5 reads from paths alone.
class TemporaryFile {
 public:
  TemporaryFile(const std::string& name, std::string_view bytes)
      : path_(std::filesystem::temp_directory_path() / "flipscope-XXXXXX") {
    const int descriptor = mkstemp(path_.data());
    if (descriptor < 0) fail("keras", "{}: no file for its weights: {}", name, strerror(errno));
    bool whole = true;
    while (whole && !bytes.empty()) {
      const ssize_t written = write(descriptor, bytes.data(), bytes.size());
      whole = written > 0;
      if (whole) bytes.remove_prefix(static_cast<std::size_t>(written));
    }
    const int reason = errno;
    close(descriptor);
    if (whole) return;
    unlink(path_.c_str());
    fail("keras", "{}: no room for its weights in {}: {}", name, path_, strerror(reason));
  }
  ~TemporaryFile() { unlink(path_.c_str()); }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace

KerasArchive read_keras_archive(const std::string& file) {
  const std::string bytes = read_file_bytes(file);
  const auto member = [&](const char* name) { return read_npz_member(file, bytes, name); };
  const TemporaryFile weights(file, member("model.weights.h5"));
  KerasArchive archive{member("config.json"), read_hdf5(weights.path(), file)};
  const ConfigDocument metadata(member("metadata.json"), file);
  archive.weights.texts["@keras_version"] = {metadata.root().text("keras_version", "")};
  return archive;
}

}  // namespace flipscope
