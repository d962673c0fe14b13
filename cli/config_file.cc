// Reads TOML with toml++, which no other file includes.
#include "config_file.h"

#define TOML_HEADER_ONLY 1
#include <toml++/toml.h>

#include <algorithm>
#include <string_view>

#include "flipscope/numeric/error.h"

namespace flipscope::cli {

namespace {

std::string where(const std::string& file, const toml::source_region& source) {
  return fmt::format("{}:{}", file, source.begin.line);
}

/// As the command line would have it.
std::string text_of(const toml::node& value, const std::string& place) {
  if (const auto* text = value.as_string()) return text->get();
  if (const auto* number = value.as_integer()) return std::to_string(number->get());
  if (const auto* number = value.as_floating_point()) return fmt::format("{}", number->get());
  if (const auto* flag = value.as_boolean()) return flag->get() ? "true" : "false";
  fail("usage", "{}: a value is a text, a number, true or false, or an array of these", place);
}

ConfigLine line_of(const std::string& section, const toml::key& name, const toml::node& value,
                   const std::string& file) {
  ConfigLine line{section, std::string(name.str()), {}, where(file, name.source())};
  if (const toml::array* array = value.as_array()) {
    for (const toml::node& element : *array) line.values.push_back(text_of(element, line.where));
  } else {
    line.values.push_back(text_of(value, line.where));
  }
  return line;
}

toml::table parse(std::istream& input, const std::string& file) {
  try {
    return toml::parse(input);
  } catch (const toml::parse_error& error) {
    fail("usage", "{}: {}", where(file, error.source()), error.description());
  }
}

}  // namespace

std::vector<ConfigLine> read_config(std::istream& input, const std::string& file,
                                    const std::vector<std::string>& verbs) {
  std::vector<ConfigLine> lines;
  for (const auto& [name, value] : parse(input, file)) {
    const toml::table* const section = value.as_table();
    if (section == nullptr) {
      lines.push_back(line_of("", name, value, file));
      continue;
    }
    const std::string verb(name.str());
    if (std::ranges::find(verbs, verb) == verbs.end()) {
      fail("usage", "{}: \"{}\" is no verb; sections are named as one of {}",
           where(file, name.source()), verb, fmt::join(verbs, ", "));
    }
    for (const auto& [own_name, own] : *section) {
      lines.push_back(line_of(verb, own_name, own, file));
    }
  }
  return lines;
}

}  // namespace flipscope::cli
