// Public models and data for tests, which stand outside the repository: FLIPSCOPE_DATA names their
// folder. Without it such a test skips itself; with FLIPSCOPE_REQUIRE_DATA=1 it fails instead.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>

namespace flipscope {

/// The path of `relative` under FLIPSCOPE_DATA; nothing where it is not there.
inline std::optional<std::string> test_data(const std::string& relative) {
  const char* folder = std::getenv("FLIPSCOPE_DATA");
  if (folder == nullptr || *folder == '\0') return {};
  const std::filesystem::path path = std::filesystem::path(folder) / relative;
  if (!std::filesystem::exists(path)) return {};
  return path.string();
}

/// True where the absence of data is a failure.
inline bool test_data_is_required() {
  const char* value = std::getenv("FLIPSCOPE_REQUIRE_DATA");
  return value != nullptr && *value != '\0' && std::string(value) != "0";
}

}  // namespace flipscope

/// First statement of a test that reads public data: skips (or fails) where one of them is absent.
///   FLIPSCOPE_NEEDS_DATA(model, "mnist/mnist-8.onnx");   // std::string model
#define FLIPSCOPE_NEEDS_DATA(name, relative)                                            \
  const std::optional<std::string> name##_found = flipscope::test_data(relative);       \
  if (!name##_found && flipscope::test_data_is_required()) {                            \
    FAIL() << "FLIPSCOPE_REQUIRE_DATA is set, but there is no " << (relative)           \
           << " under FLIPSCOPE_DATA";                                                  \
  }                                                                                     \
  if (!name##_found) GTEST_SKIP() << "needs " << (relative) << " under FLIPSCOPE_DATA"; \
  const std::string& name = *name##_found
