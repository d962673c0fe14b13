// Where tests put their files.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

namespace flipscope {

/// A path of this name in a folder of this process alone, which goes when the process ends.
inline std::string temporary_path(const std::string& name) {
  struct Folder {
    Folder() { mkdtemp(path.data()); }
    ~Folder() { std::filesystem::remove_all(path); }
    std::string path = ::testing::TempDir() + "flipscope-test-XXXXXX";
  };
  static const Folder folder;
  return folder.path + "/" + name;
}

/// Writes the bytes to the temporary path of this name; gives the path.
inline std::string temporary_file(const std::string& name, std::string_view bytes) {
  std::string path = temporary_path(name);
  std::ofstream(path, std::ios::binary) << bytes;
  return path;
}

}  // namespace flipscope
