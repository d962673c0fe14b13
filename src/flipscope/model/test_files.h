// Small files that tests make.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdint>
#include <fstream>
#include <random>
#include <string>
#include <string_view>

namespace flipscope {

/// Writes the bytes to a file of this name in a folder of this process; gives its path.
inline std::string temporary_file(const std::string& name, std::string_view bytes) {
  const std::string path = testing::TempDir() + std::to_string(::getpid()) + "_" + name;
  std::ofstream file(path, std::ios::binary);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  return path;
}

/// The bytes with a few of them changed, dropped, or the end cut off.
inline std::string corrupted(std::string bytes, std::mt19937_64& random) {
  switch (random() % 4) {
    case 0:
      bytes.resize(random() % (bytes.size() + 1));
      break;
    case 1:
      bytes.insert(random() % (bytes.size() + 1), 1, static_cast<char>(random()));
      break;
    default:
      for (std::uint64_t k = 1 + random() % 8; k > 0; --k) {
        const std::size_t at =
            random() % std::min<std::size_t>(bytes.size(), k % 2 ? 128 : 1 << 20);
        bytes[at] = static_cast<char>(random());
      }
  }
  return bytes;
}

}  // namespace flipscope
