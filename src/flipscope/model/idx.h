// IDX files, the format of MNIST (LeCun, Cortes, Burges).
#pragma once

#include <string>
#include <string_view>

#include "flipscope/model/stored_array.h"

namespace flipscope {

/// True where the first bytes can be those of an IDX file: two zeros, a type code, a rank.
bool looks_like_idx(std::string_view bytes);

/// All six element types. Throws Error naming the file where the bytes are anything else.
StoredArray parse_idx(const std::string& name, std::string bytes);

}  // namespace flipscope
