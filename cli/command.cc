// Parses a verb's options with CLI11, which no other file includes.
#include "command.h"

#include <CLI/CLI.hpp>
#include <algorithm>

#include "config_file.h"
#include "flipscope/model/text.h"
#include "flipscope/numeric/error.h"

namespace flipscope::cli {

namespace {

/// One line of the help, or a heading over some.
struct HelpLine {
  std::string left;
  std::string right;
};

template <typename T>
T number(const std::string& name, const std::string& text, const char* wanted) {
  const std::optional<T> value = parse_whole<T>(text);
  if (!value || !(*value >= T{0})) {
    fail("usage", "--{} needs {}, not \"{}\"", name, wanted, text);
  }
  return *value;
}

/// Levenshtein distance, for "did you mean".
std::size_t edit_distance(const std::string& a, const std::string& b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j < row.size(); ++j) row[j] = j;
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t change = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({change, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

std::string nearest(const std::string& word, std::span<const std::string> names) {
  const auto closer = [&](const std::string& a, const std::string& b) {
    return edit_distance(word, a) < edit_distance(word, b);
  };
  return *std::min_element(names.begin(), names.end(), closer);
}

/// A TOML file with the verb's options: at the top, for every verb, or in a section named as one.
class VerbConfig : public CLI::ConfigTOML {
 public:
  VerbConfig(std::string verb, std::string file, std::vector<std::string> own, KnownWords known)
      : verb_(std::move(verb)),
        file_(std::move(file)),
        own_(std::move(own)),
        known_(std::move(known)) {}

  std::vector<CLI::ConfigItem> from_config(std::istream& input) const override {
    std::vector<CLI::ConfigItem> kept;
    const std::vector<ConfigLine> lines = read_config(input, file_, known_.verbs);
    for (const ConfigLine& line : lines) {
      const bool is_own = contains(own_, line.name);
      if (!is_own && (line.section == verb_ || !contains(known_.options, line.name))) {
        fail("usage", "{}: \"{}\" is no option{}; did you mean \"{}\"?", line.where, line.name,
             line.section.empty() ? "" : " of " + line.section,
             nearest(line.name, line.section == verb_ ? own_ : known_.options));
      }
      if (!is_own || (!line.section.empty() && line.section != verb_)) continue;
      const bool overruled = line.section.empty() && std::ranges::any_of(lines, [&](const auto& l) {
                               return l.section == verb_ && l.name == line.name;
                             });
      if (overruled) continue;
      CLI::ConfigItem item;
      item.name = line.name;
      item.inputs = {CLI::detail::join(line.values, ",")};
      kept.push_back(std::move(item));
    }
    return kept;
  }

 private:
  static bool contains(const std::vector<std::string>& names, const std::string& name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  }

  std::string verb_;
  std::string file_;
  std::vector<std::string> own_;
  KnownWords known_;
};

/// The file that --config names.
std::string config_of(const std::vector<std::string>& words) {
  const std::string option = "--config";
  for (std::size_t k = 0; k < words.size(); ++k) {
    if (words[k].starts_with(option + "=")) return words[k].substr(option.size() + 1);
    if (words[k] == option && k + 1 < words.size()) return words[k + 1];
  }
  return {};
}

/// The options that words name, of those known.
std::vector<std::string> options_among(const std::vector<std::string>& words,
                                       const std::vector<std::string>& known) {
  std::vector<std::string> named;
  for (const std::string& word : words) {
    if (word == "--") break;
    if (!word.starts_with("--")) continue;
    const std::string name = word.substr(2, word.find('=') - 2);
    if (std::ranges::find(known, name) != known.end()) named.push_back(name);
  }
  return named;
}

/// Breaks text into lines of at most `width` letters.
std::vector<std::string> wrap(const std::string& text, std::size_t width) {
  std::vector<std::string> lines(1);
  for (const std::string& word : CLI::detail::split(text, ' ')) {
    if (!lines.back().empty() && lines.back().size() + 1 + word.size() > width) {
      lines.emplace_back();
    }
    lines.back() += (lines.back().empty() ? "" : " ") + word;
  }
  return lines;
}

}  // namespace

struct Command::State {
  explicit State(const Verb& verb_) : verb(verb_), app("", verb_.name) {
    app.set_help_flag();
    app.add_flag("--help,-h", help_asked);
  }

  const Verb& verb;
  CLI::App app;
  bool help_asked = false;
  std::vector<std::string> names;
  std::vector<std::string> named;         ///< by the words
  std::vector<std::string> flags, lists;  ///< those of `names` that take no word, or several
  std::vector<std::string> required;
  bool (*is_argument)(const std::string&) = nullptr;  ///< where there may be several
  std::string usage;
  std::vector<HelpLine> lines;
  std::vector<std::string> examples;

  CLI::Option* add(const char* name, const char* placeholder, const char* help,
                   const std::function<void(const std::string&)>& take) {
    names.emplace_back(name);
    lines.push_back({fmt::format("--{} {}", name, placeholder), help});
    return app.add_option_function<std::string>(fmt::format("--{}", name), take);
  }

  /// The words with the argument before them: where none stands by itself, it is taken from those
  /// that follow an option which takes several.
  std::vector<std::string> with_argument(std::vector<std::string> words) const;

  template <typename T>
  void add_number(const char* name, const char* placeholder, T& value, const char* help,
                  const char* wanted) {
    add(name, placeholder, help,
        [name = std::string(name), &value, wanted](const std::string& text) {
          value = number<T>(name, text, wanted);
        });
  }
};

std::vector<std::string> Command::State::with_argument(std::vector<std::string> words) const {
  const auto among = [](const std::vector<std::string>& all, const std::string& name) {
    return std::ranges::find(all, name) != all.end();
  };
  struct Words {
    std::size_t first, end;
  };
  std::vector<Words> more;  // of options with several words, all but the first
  for (std::size_t at = 0; at < words.size();) {
    const std::string& word = words[at++];
    if (word == "--" || word == "-h" || word == "--help" || !word.starts_with("--")) return words;
    const std::size_t equals = word.find('=');
    const std::string name = word.substr(2, equals - 2);
    if (among(flags, name)) continue;
    if (equals == std::string::npos && at < words.size()) ++at;
    if (!among(lists, name)) continue;
    const std::size_t first = at;
    while (at < words.size() && !words[at].starts_with('-')) ++at;
    if (at > first) more.push_back({first, at});
  }
  if (required.empty() || more.empty()) return words;
  if (more.size() > 1) {
    fail("usage", "{} needs {}, and several options could have taken it; give it first", verb.name,
         required.front());
  }
  const auto [first, end] = more.front();
  std::size_t taken = end - 1;
  while (is_argument != nullptr && taken > first && is_argument(words[taken - 1])) --taken;
  const auto at = [&](std::size_t k) { return words.begin() + static_cast<std::ptrdiff_t>(k); };
  std::rotate(words.begin(), at(taken), at(end));
  return words;
}

Command::Command(const Verb& verb) : state_(std::make_unique<State>(verb)) {}
Command::~Command() = default;

void Command::argument(const char* name, std::string& value, const char* help) {
  state_->required.emplace_back(name);
  state_->usage += fmt::format(" {}", name);
  state_->lines.push_back({name, help});
  state_->app.add_option(name, value);
}

void Command::arguments(const char* name, std::vector<std::string>& values,
                        bool (*is_one)(const std::string&), const char* help) {
  state_->is_argument = is_one;
  state_->required.emplace_back(name);
  state_->usage += fmt::format(" {}...", name);
  state_->lines.push_back({fmt::format("{}...", name), help});
  state_->app.add_option(name, values);
}

void Command::option(const char* name, const char* placeholder,
                     const std::function<void(const std::string&)>& take, const char* help) {
  state_->add(name, placeholder, help, take);
}

void Command::option(const char* name, const char* placeholder, std::string& value,
                     const char* help) {
  state_->add(name, placeholder, help, [&value](const std::string& text) { value = text; });
}

void Command::option(const char* name, const char* placeholder, std::vector<std::string>& values,
                     const char* help) {
  state_->names.emplace_back(name);
  state_->lists.emplace_back(name);
  state_->lines.push_back({fmt::format("--{} {}", name, placeholder), help});
  state_->app.add_option(fmt::format("--{}", name), values)
      ->delimiter(',')
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

void Command::option(const char* name, const char* placeholder, int& value, const char* help) {
  state_->add_number(name, placeholder, value, help, "a whole number of at least 0");
}

void Command::option(const char* name, const char* placeholder, std::int64_t& value,
                     const char* help) {
  state_->add_number(name, placeholder, value, help, "a whole number of at least 0");
}

void Command::option(const char* name, const char* placeholder, std::uint64_t& value,
                     const char* help) {
  state_->add_number(name, placeholder, value, help, "a whole number of at least 0");
}

void Command::option(const char* name, const char* placeholder, double& value, const char* help) {
  state_->add_number(name, placeholder, value, help, "a number of at least 0");
}

void Command::flag(const char* name, bool& value, const char* help) {
  state_->names.emplace_back(name);
  state_->flags.emplace_back(name);
  state_->lines.push_back({fmt::format("--{}", name), help});
  state_->app.add_flag(fmt::format("--{}", name), value);
}

void Command::config_file() {
  state_->lines.push_back({"--config FILE.toml",
                           "Options from a file, by their names without dashes: "
                           "faults = \"stuck-at-0\". The command line goes before the file."});
  state_->app.set_config("--config");
}

void Command::heading(const char* title) {
  state_->lines.push_back({"", title});
}

void Command::example(const char* line) {
  state_->examples.emplace_back(line);
}

bool Command::parse(std::vector<std::string> words, const KnownWords& known) {
  State& state = *state_;
  const char* verb = state.verb.name;
  words = state.with_argument(std::move(words));
  state.named = options_among(words, state.names);
  const std::string config = config_of(words);
  state.app.config_formatter(std::make_shared<VerbConfig>(verb, config, state.names, known));
  std::reverse(words.begin(), words.end());
  try {
    state.app.parse(std::move(words));
  } catch (const CLI::ExtrasError&) {
    const std::string word = state.app.remaining().front();
    if (word.size() < 2 || word[0] != '-') {
      fail("usage", "{} does not know what to do with \"{}\"; see flipscope {} --help", verb, word,
           verb);
    }
    const std::string name =
        word.substr(word.find_first_not_of('-') == std::string::npos ? word.size()
                                                                     : word.find_first_not_of('-'));
    fail("usage", "{} has no option {}; did you mean --{}? (flipscope {} --help lists them)", verb,
         word.substr(0, word.find('=')), nearest(name.substr(0, name.find('=')), state.names),
         verb);
  } catch (const CLI::FileError&) {
    fail("usage", "--config {}: this file cannot be read", config);
  } catch (const CLI::ArgumentMismatch& error) {
    const std::string message = error.what();
    const std::string name = message.substr(0, message.find(':'));
    if (state.app.get_option(name)->count() > 1) fail("usage", "{} is given more than once", name);
    fail("usage", "{} needs a value; see flipscope {} --help", name, verb);
  } catch (const CLI::ParseError& error) {
    fail("usage", "{}; see flipscope {} --help", error.what(), verb);
  }
  if (state.help_asked) return false;
  for (const std::string& name : state.required) {
    if (state.app.get_option(name)->count() == 0) {
      fail("usage", "{} needs {}: flipscope {}{} [options]", verb, name, verb, state.usage);
    }
  }
  return true;
}

std::string Command::help() const {
  constexpr std::size_t kLeft = 28;
  constexpr std::size_t kWidth = 100;
  const State& state = *state_;
  std::string text = fmt::format("{}.\n\nUsage: flipscope {}{} [options]\n", state.verb.summary,
                                 state.verb.name, state.usage);
  for (const HelpLine& line : state.lines) {
    if (line.left.empty()) {
      text += fmt::format("\n{}:\n", line.right);
      continue;
    }
    std::string left = "  " + line.left;
    if (left.size() >= kLeft) {
      text += left + "\n";
      left.clear();
    }
    for (const std::string& part : wrap(line.right, kWidth - kLeft)) {
      text += fmt::format("{:<{}}{}\n", left, kLeft, part);
      left.clear();
    }
  }
  text += state.examples.size() > 1 ? "\nExamples:\n" : "\nExample:\n";
  for (const std::string& line : state.examples) text += fmt::format("  flipscope {}\n", line);
  return text;
}

std::vector<std::string> Command::option_names() const {
  return state_->names;
}

const std::vector<std::string>& Command::named() const {
  return state_->named;
}

}  // namespace flipscope::cli
