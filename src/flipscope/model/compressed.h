// Files inside compressed files: gzip, and the members of .npz archives.
#pragma once

#include <string>
#include <string_view>

namespace flipscope {

/// The content of a gzip file. Throws Error naming the file where it is damaged or cut short.
std::string decompress_gzip(const std::string& name, std::string_view bytes);

/// The member `key` (or `key`.npy) of a zip archive; an empty key takes the only member. Throws
/// Error naming the file, and the keys that there are, where it cannot.
std::string read_npz_member(const std::string& name, std::string_view bytes,
                            const std::string& key);

}  // namespace flipscope
