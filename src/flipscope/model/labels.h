// Class labels from files.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "flipscope/model/array_file.h"

namespace flipscope {

/// All labels of a file: integers of shape [N] or [N,1]; one-hot or score rows of shape
/// [N,classes], whose one largest entry names the class; or a CIFAR binary file's own. Throws Error
/// naming the file and the first entry that is no label.
std::vector<std::int32_t> labels_from(const ArrayFile& file);

}  // namespace flipscope
