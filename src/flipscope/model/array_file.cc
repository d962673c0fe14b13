// Chooses the reader for a file by its name, or by its first bytes.
#include "flipscope/model/array_file.h"

#include <algorithm>
#include <cctype>
#include <string_view>

#include "flipscope/model/cifar.h"
#include "flipscope/model/compressed.h"
#include "flipscope/model/csv.h"
#include "flipscope/model/file_bytes.h"
#include "flipscope/model/idx.h"
#include "flipscope/model/npy.h"
#include "flipscope/numeric/error.h"
#include "flipscope/numeric/hash.h"

namespace flipscope {
namespace {

bool ends_with(std::string text, std::string_view ending) {
  std::ranges::transform(text, text.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text.ends_with(ending);
}

ArrayFile open_npz(const std::string& path, const std::string& key) {
  const std::string member = read_npz_member(path, read_file_bytes(path), key);
  ArrayFile file;
  file.digest = digest(member);
  file.array = parse_npy(key.empty() ? path : path + ":" + key, member);
  return file;
}

}  // namespace

ArrayFile open_array_file(const std::string& path) {
  if (const std::size_t at = path.rfind(".npz:"); at != std::string::npos) {
    return open_npz(path.substr(0, at + 4), path.substr(at + 5));
  }
  if (ends_with(path, ".npz")) return open_npz(path, "");

  std::string bytes = read_file_bytes(path);
  ArrayFile file;
  file.digest = digest(bytes);
  std::string name = path;
  if (ends_with(name, ".gz") || bytes.starts_with("\x1f\x8b")) {
    bytes = decompress_gzip(path, bytes);
    if (ends_with(name, ".gz")) name.resize(name.size() - 3);
  }
  if (ends_with(name, ".npy") || bytes.starts_with("\x93NUMPY")) {
    file.array = parse_npy(path, std::move(bytes));
  } else if (ends_with(name, ".csv") || ends_with(name, ".txt")) {
    file.array = parse_csv(path, bytes);
  } else if (ends_with(name, ".bin")) {
    CifarBatch batch = parse_cifar(path, bytes);
    file.array = std::move(batch.images);
    file.labels = std::move(batch.labels);
    file.is_cifar = true;
  } else if (looks_like_idx(bytes)) {
    file.array = parse_idx(path, std::move(bytes));
  } else {
    fail("samples",
         "{}: the kind of file is not recognized; .npy, .npz:key, IDX (.gz too), .csv "
         "and CIFAR .bin can be read",
         path);
  }
  return file;
}

Tensor read_array(const std::string& path) {
  return decode_all(open_array_file(path).array);
}

}  // namespace flipscope
