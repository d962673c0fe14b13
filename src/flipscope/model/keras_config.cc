#include "flipscope/model/keras_config.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "flipscope/numeric/error.h"

namespace flipscope {
namespace {

using nlohmann::json;

constexpr std::int64_t kMostInteger = std::int64_t{1} << 20;

const json* value_of(const void* pointer) {
  return static_cast<const json*>(pointer);
}

}  // namespace

bool Config::is_null() const {
  return !json_ || value_of(json_)->is_null();
}
bool Config::is_text() const {
  return json_ && value_of(json_)->is_string();
}
bool Config::is_number() const {
  return json_ && (value_of(json_)->is_number() || value_of(json_)->is_boolean());
}
bool Config::is_object() const {
  return json_ && value_of(json_)->is_object();
}
bool Config::is_array() const {
  return json_ && value_of(json_)->is_array();
}

std::size_t Config::size() const {
  return is_array() ? value_of(json_)->size() : 0;
}

Config Config::operator[](std::size_t i) const {
  return {i < size() ? &(*value_of(json_))[i] : nullptr, where_};
}

Config Config::operator[](const std::string& key) const {
  if (!is_object()) return {nullptr, where_};
  const auto found = value_of(json_)->find(key);
  return {found == value_of(json_)->end() ? nullptr : &*found, where_};
}

std::vector<std::string> Config::keys() const {
  std::vector<std::string> keys;
  if (is_object()) {
    for (const auto& [key, value] : value_of(json_)->items()) keys.push_back(key);
  }
  return keys;
}

std::string Config::text(std::string_view what) const {
  if (!is_text()) fail("keras", "{}: `{}` must be a text", where_, what);
  return value_of(json_)->get<std::string>();
}

double Config::number(std::string_view what) const {
  if (!is_number()) fail("keras", "{}: `{}` must be a number", where_, what);
  if (value_of(json_)->is_boolean()) return value_of(json_)->get<bool>();
  return value_of(json_)->get<double>();
}

std::int64_t Config::integer(std::string_view what) const {
  const double value = number(what);
  if (std::trunc(value) != value || std::fabs(value) > 0x1p31) {
    fail("keras", "{}: `{}` must be a whole number within ±2^31, got {}", where_, what, value);
  }
  return static_cast<std::int64_t>(value);
}

std::string Config::text(const std::string& key, const std::string& otherwise) const {
  const Config value = (*this)[key];
  return value.is_null() ? otherwise : value.text(std::string_view(key));
}

double Config::number(const std::string& key, double otherwise) const {
  const Config value = (*this)[key];
  return value.is_null() ? otherwise : value.number(std::string_view(key));
}

std::int64_t Config::integer(const std::string& key, std::int64_t otherwise) const {
  const Config value = (*this)[key];
  return value.is_null() ? otherwise : value.integer(std::string_view(key));
}

bool Config::flag(const std::string& key, bool otherwise) const {
  return number(key, otherwise) != 0;
}

std::vector<std::int64_t> Config::integers(const std::string& key, std::size_t count,
                                           std::int64_t least, std::int64_t otherwise) const {
  const Config value = (*this)[key];
  std::vector<std::int64_t> numbers;
  if (value.is_array()) {
    for (std::size_t i = 0; i < value.size(); ++i) numbers.push_back(value[i].integer(key));
    if (numbers.size() == 1) numbers.assign(count, numbers[0]);
  } else {
    numbers.assign(count, value.is_null() ? otherwise : value.integer(std::string_view(key)));
  }
  if (numbers.size() != count) {
    fail("keras", "{}: `{}` must hold {} numbers, got {}", where_, key, count, numbers.size());
  }
  for (const std::int64_t number : numbers) {
    if (number < least || number > kMostInteger) {
      fail("keras", "{}: `{}` must lie in {}..{}, got {}", where_, key, least, kMostInteger,
           number);
    }
  }
  return numbers;
}

struct ConfigDocument::Json {
  json value;
};

ConfigDocument::ConfigDocument(const std::string& text, const std::string& file) : file_(file) {
  try {
    json_ = std::make_unique<Json>(Json{json::parse(text)});
  } catch (const json::exception& error) {
    fail("keras", "{}: the model's configuration is not JSON: {}", file, error.what());
  }
}

ConfigDocument::~ConfigDocument() = default;

Config ConfigDocument::root() const {
  return {&json_->value, file_};
}

}  // namespace flipscope
