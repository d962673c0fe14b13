// A Keras configuration (JSON) with typed access whose mistakes are named.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace flipscope {

constexpr int kMostNesting = 32;  ///< of models within models

/// A view of one value of a parsed configuration, and where it stands for messages. The document
/// must outlive it. A key that is absent and a null are the same: is_null().
class Config {
 public:
  Config() = default;
  Config(const void* json, std::string where) : json_(json), where_(std::move(where)) {}

  bool is_null() const;
  bool is_text() const;
  bool is_number() const;  ///< a boolean is a number too
  bool is_object() const;
  bool is_array() const;

  /// Elements of an array; 0 for anything else.
  std::size_t size() const;
  Config operator[](std::size_t i) const;
  /// The value of a key; null where this is not an object or has no such key.
  Config operator[](const std::string& key) const;
  std::vector<std::string> keys() const;

  /// This very value, in the asked-for type. Throw Error naming `what`.
  std::string text(std::string_view what) const;
  double number(std::string_view what) const;
  std::int64_t integer(std::string_view what) const;

  /// The value of a key, or `otherwise` where it is null.
  std::string text(const std::string& key, const std::string& otherwise) const;
  double number(const std::string& key, double otherwise) const;
  std::int64_t integer(const std::string& key, std::int64_t otherwise) const;
  bool flag(const std::string& key, bool otherwise) const;
  /// `count` integers, each in [least, 2^20]; one number stands for all of them.
  std::vector<std::int64_t> integers(const std::string& key, std::size_t count, std::int64_t least,
                                     std::int64_t otherwise) const;

  /// FILE, or FILE: layer "L".
  const std::string& where() const { return where_; }
  Config at(std::string where) const { return {json_, std::move(where)}; }

 private:
  const void* json_ = nullptr;
  std::string where_;
};

/// A parsed configuration.
class ConfigDocument {
 public:
  /// Throws Error("[keras] FILE: …") where the text is not JSON.
  ConfigDocument(const std::string& text, const std::string& file);
  ~ConfigDocument();
  ConfigDocument(const ConfigDocument&) = delete;
  ConfigDocument& operator=(const ConfigDocument&) = delete;

  Config root() const;

 private:
  struct Json;
  std::unique_ptr<Json> json_;
  std::string file_;
};

}  // namespace flipscope
