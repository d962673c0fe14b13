// Tables of numbers in text files.
#pragma once

#include <string>
#include <string_view>

#include "flipscope/model/stored_array.h"

namespace flipscope {

/// Comma-separated numbers, a row a line, shape [rows, columns], float64. A first line without any
/// number is a header; blank lines and lines that begin with # are skipped. Throws Error naming
/// file, line and field where a field is no number or a row is longer or shorter than the first.
StoredArray parse_csv(const std::string& name, std::string_view text);

/// The file at `path`, as above.
Tensor read_csv(const std::string& path);

}  // namespace flipscope
