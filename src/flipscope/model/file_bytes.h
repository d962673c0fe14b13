// Whole files, in and out.
#pragma once

#include <string>
#include <string_view>

namespace flipscope {

/// All bytes of a regular file. Throws Error naming it where it cannot be read.
std::string read_file_bytes(const std::string& path);

/// The file holds all of `bytes` or what it held before (OutputFile). Throws Error where it cannot
/// be written.
void write_file_atomically(const std::string& path, std::string_view bytes);

}  // namespace flipscope
