// One verb's options: described once, and from that parsed, read from a file, and printed as help.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "options.h"

namespace flipscope::cli {

class Command;

/// A verb of the command line.
struct Verb {
  const char* name;
  const char* summary;  ///< one line, no full stop
  void (*describe)(Command& command, Options& options);
  int (*run)(const Options& options);  ///< gives the exit code
};

/// What the --config file of several verbs may hold.
struct KnownWords {
  std::vector<std::string> options;  ///< of all verbs
  std::vector<std::string> verbs;
};

/// The options of one verb. Names have no dashes; a placeholder says what a value looks like. All
/// references must outlive the command.
class Command {
 public:
  explicit Command(const Verb& verb);
  ~Command();

  void argument(const char* name, std::string& value, const char* help);
  /// `is_one` knows an argument by sight.
  void arguments(const char* name, std::vector<std::string>& values,
                 bool (*is_one)(const std::string&), const char* help);

  /// `take` reads the text, and throws Error where it cannot.
  void option(const char* name, const char* placeholder,
              const std::function<void(const std::string&)>& take, const char* help);
  void option(const char* name, const char* placeholder, std::string& value, const char* help);
  /// Words between commas; several may follow, and the option may also come several times.
  void option(const char* name, const char* placeholder, std::vector<std::string>& values,
              const char* help);
  /// A whole number of at least 0.
  void option(const char* name, const char* placeholder, int& value, const char* help);
  void option(const char* name, const char* placeholder, std::int64_t& value, const char* help);
  void option(const char* name, const char* placeholder, std::uint64_t& value, const char* help);
  /// A number of at least 0.
  void option(const char* name, const char* placeholder, double& value, const char* help);
  void flag(const char* name, bool& value, const char* help);

  /// A heading over the options that follow.
  void heading(const char* title);
  /// A command line that works, without the program's name.
  void example(const char* line);

  /// Adds --config.
  void config_file();

  /// Reads the words after the verb. Where the argument is missing, the last of the words after an
  /// option that takes several is it. Gives false where help was asked for. Throws Error("[usage]
  /// …").
  bool parse(std::vector<std::string> words, const KnownWords& known);

  std::string help() const;
  std::vector<std::string> option_names() const;
  /// Names of options that the words parsed have; those of a file are not among them.
  const std::vector<std::string>& named() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// --json, --quiet, --threads, --seed, --config.
void describe_common(Command& command, Options& options);

/// MODEL.
void describe_model(Command& command, Options& options);

/// --inputs, and what brings samples into the form that the model wants.
void describe_samples(Command& command, Options& options);

/// --in, --layers, --bits.
void describe_fault_space(Command& command, Options& options);

/// --error, --confidence, --outlier-rule.
void describe_precision(Command& command, Options& options);

/// --binfi.
void describe_search(Command& command, Options& options);

/// --score and what belongs to it.
void describe_score(Command& command, Options& options);

/// --sensitive; `help` says what it is for.
void describe_sensitive(Command& command, Options& options, const char* help);

}  // namespace flipscope::cli
