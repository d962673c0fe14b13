// Arrays from files of any kind that people keep samples in.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "flipscope/model/stored_array.h"

namespace flipscope {

struct ArrayFile {
  StoredArray array;
  std::vector<std::int32_t> labels;  ///< CIFAR binary only: its own labels
  bool is_cifar = false;
  std::string digest;  ///< of the bytes read: the file, or the member of an .npz
};

/// `.npy`, `.npz` or `.npz:key`, `.csv`, CIFAR binary (`.bin`), IDX, and any of them but .npz as
/// `.gz`. Throws Error naming the file where it is missing, damaged or of another kind.
ArrayFile open_array_file(const std::string& path);

/// The array in such a file, decoded.
Tensor read_array(const std::string& path);

}  // namespace flipscope
