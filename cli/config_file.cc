#include "config_file.h"

#include <algorithm>
#include <cctype>
#include <iterator>
#include <string_view>

#include "flipscope/numeric/error.h"

namespace flipscope::cli {

namespace {

std::string trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r");
  if (first == std::string_view::npos) return {};
  return std::string(text.substr(first, text.find_last_not_of(" \t\r") - first + 1));
}

/// Walks through the file's text.
class Reader {
 public:
  Reader(std::string text, const std::string& file) : text_(std::move(text)), file_(file) {}

  bool at_end() const { return at_ >= text_.size(); }
  char next() const { return at_end() ? '\n' : text_[at_]; }
  void skip() { line_ += text_[at_++] == '\n'; }
  std::string where() const { return file_ + ":" + std::to_string(line_); }

  /// Blanks and comments; also lines' ends, if so asked.
  void skip_blanks(bool lines) {
    for (; !at_end(); skip()) {
      if (next() == '#') {
        while (!at_end() && next() != '\n') skip();
        if (at_end()) return;
      }
      if (next() == '\n' ? !lines : std::isspace(static_cast<unsigned char>(next())) == 0) return;
    }
  }

  /// The text up to any of these, or to the line's end.
  std::string up_to(const char* ends) {
    std::string word;
    for (; next() != '\n' && std::string_view(ends).find(next()) == std::string_view::npos; skip())
      word += next();
    return trimmed(word);
  }

  std::string value(const char* ends) {
    const char quote = next();
    if (quote != '"' && quote != '\'') {
      std::string word = up_to(ends);
      if (word.empty()) fail("usage", "{}: there is no value", where());
      if (word.find('"') != std::string::npos) {
        fail("usage", "{}: {} has a quote inside; put all of it in quotes", where(), word);
      }
      return word;
    }
    std::string word;
    for (skip(); next() != quote; skip()) {
      if (next() == '\\' && quote == '"') skip();
      if (next() == '\n') {
        fail("usage", "{}: a text begins with {} and does not end", where(), quote);
      }
      word += next();
    }
    skip();
    return word;
  }

  void expect_line_end() {
    skip_blanks(false);
    if (next() != '\n') fail("usage", "{}: nothing may follow a value but a comment", where());
  }

 private:
  std::string text_;
  const std::string& file_;
  std::size_t at_ = 0, line_ = 1;
};

std::vector<std::string> read_array(Reader& in) {
  std::vector<std::string> values;
  const std::string begin = in.where();
  for (in.skip();;) {
    in.skip_blanks(true);
    if (in.at_end()) fail("usage", "{}: an array begins with [ and does not end", begin);
    if (in.next() == ']') break;
    values.push_back(in.value(",]#"));
    in.skip_blanks(true);
    if (in.next() == ',') {
      in.skip();
    } else if (in.next() != ']') {
      fail("usage", "{}: an array has , between its values and ] at its end", in.where());
    }
  }
  in.skip();
  return values;
}

}  // namespace

std::vector<ConfigLine> read_config(std::istream& input, const std::string& file,
                                    const std::vector<std::string>& verbs) {
  Reader in({std::istreambuf_iterator<char>(input), {}}, file);
  std::vector<ConfigLine> lines;
  std::string section;
  const auto check_verb = [&](const std::string& name) {
    if (std::ranges::find(verbs, name) != verbs.end()) return;
    fail("usage", "{}: \"{}\" is no verb; sections are named as one of {}", in.where(), name,
         fmt::join(verbs, ", "));
  };
  for (in.skip_blanks(true); !in.at_end(); in.skip_blanks(true)) {
    if (in.next() == '[') {
      in.skip();
      section = in.up_to("]#");
      if (in.next() != ']') fail("usage", "{}: a section is [VERB]", in.where());
      check_verb(section);
      in.skip();
      in.expect_line_end();
      continue;
    }
    ConfigLine line{section, in.up_to("=#"), {}, in.where()};
    if (in.next() != '=') {
      fail("usage", "{}: \"{}\" is no line name = value", in.where(), line.name);
    }
    if (const auto dot = line.name.find('.'); dot != std::string::npos && section.empty()) {
      line.section = line.name.substr(0, dot);
      check_verb(line.section);
      line.name.erase(0, dot + 1);
    }
    in.skip();
    in.skip_blanks(false);
    line.values = in.next() == '[' ? read_array(in) : std::vector<std::string>{in.value("#")};
    in.expect_line_end();
    lines.push_back(std::move(line));
  }
  return lines;
}

}  // namespace flipscope::cli
