// CIFAR-10 and CIFAR-100 binary batches (Krizhevsky 2009).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "flipscope/model/stored_array.h"

namespace flipscope {

struct CifarBatch {
  StoredArray images;                ///< uint8 [count,3,32,32]
  std::vector<std::int32_t> labels;  ///< CIFAR-100: the fine ones
};

/// Records of 3,073 bytes (CIFAR-10: label, image) or 3,074 (CIFAR-100: coarse label, fine label,
/// image). Throws Error naming the file where the size or a label fits neither.
CifarBatch parse_cifar(const std::string& name, const std::string& bytes);

}  // namespace flipscope
