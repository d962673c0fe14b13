// Tells the file of a campaign from others.
#pragma once

#include <string>

namespace flipscope::cli {

/// Whether this is an SQLite file, as stores are.
bool is_store(const std::string& path);

}  // namespace flipscope::cli
