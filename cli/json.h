// JSON values to print.
#pragma once

#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "flipscope/campaign/campaign.h"

namespace flipscope::cli {

struct Json {
  using Array = std::vector<Json>;
  using Object = std::vector<std::pair<std::string, Json>>;  ///< in the order of printing

  std::variant<std::nullptr_t, bool, std::int64_t, std::uint64_t, double, std::string, Array,
               Object>
      value = nullptr;

  Json() = default;
  Json(bool b) : value(b) {}
  Json(std::signed_integral auto i) : value(std::int64_t{i}) {}
  Json(std::unsigned_integral auto i) : value(std::uint64_t{i}) {}
  Json(double x) : value(x) {}
  Json(const char* text) : value(std::string(text)) {}
  Json(std::string text) : value(std::move(text)) {}
  Json(Array array) : value(std::move(array)) {}
  Json(Object object) : value(std::move(object)) {}
  template <typename T>
  explicit Json(const std::vector<T>& items) : value(Array(items.begin(), items.end())) {}
  template <typename T>
  explicit Json(const std::optional<T>& item) {
    if (item) *this = Json(*item);
  }
  explicit Json(const Rate& rate);
};

/// Indented, with a line's end. Numbers that JSON does not have (NaN, infinities) become null.
std::string text(const Json& json);

}  // namespace flipscope::cli
