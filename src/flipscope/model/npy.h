// NumPy's .npy files, format versions 1 to 3 (numpy.lib.format).
#pragma once

#include <string>

#include "flipscope/model/stored_array.h"

namespace flipscope {

/// Booleans, integers of 1 to 8 bytes and floats of 2, 4 and 8, in either byte order and either
/// element order. Throws Error naming the file where the bytes are anything else.
StoredArray parse_npy(const std::string& name, std::string bytes);

/// Writes float32 values in C order, whole or not at all. Throws Error where it cannot.
void write_npy(const std::string& path, const Shape& shape, const float* values);

}  // namespace flipscope
