// JSON values to print, by nlohmann-json.
#include "json.h"

#include <nlohmann/json.hpp>

namespace flipscope::cli {

namespace {

nlohmann::ordered_json convert(const Json& json) {
  if (const auto* array = std::get_if<Json::Array>(&json.value)) {
    nlohmann::ordered_json result = nlohmann::ordered_json::array();
    for (const Json& item : *array) result.push_back(convert(item));
    return result;
  }
  if (const auto* object = std::get_if<Json::Object>(&json.value)) {
    nlohmann::ordered_json result = nlohmann::ordered_json::object();
    for (const auto& [name, item] : *object) result[name] = convert(item);
    return result;
  }
  return std::visit(
      [](const auto& value) -> nlohmann::ordered_json {
        using T = std::decay_t<decltype(value)>;
        if constexpr (std::is_same_v<T, Json::Array> || std::is_same_v<T, Json::Object>) {
          return nullptr;
        } else {
          return value;
        }
      },
      json.value);
}

}  // namespace

Json::Json(const Rate& rate)
    : value(Object{
          {"mean", rate.mean}, {"lower", rate.interval.lower}, {"upper", rate.interval.upper}}) {}

std::string text(const Json& json) {
  return convert(json).dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace flipscope::cli
