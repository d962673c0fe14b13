// What a person sees: tables, bars, numbers, and progress.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "flipscope/campaign/campaign.h"
#include "flipscope/report/words.h"

namespace flipscope::cli {

/// Writes to standard output; the exit code tells where that fails (see finish_output).
void print(const std::string& text);

/// Throws Error where something printed did not reach its reader.
void finish_output();

using flipscope::bar;
using flipscope::duration;
using flipscope::grouped;
using flipscope::number_text;
using flipscope::percent;
using flipscope::rate_text;

/// Columns of text: `alignment` has an l or r for each. A header is followed by a rule.
class Table {
 public:
  Table(std::vector<std::string> header, std::string alignment);
  void row(std::vector<std::string> cells);
  std::string text() const;

 private:
  std::vector<std::vector<std::string>> rows_;
  std::string alignment_;
};

/// Progress on standard error: a bar with rate and time left on a terminal, elsewhere a plain line
/// every few seconds. Give report() to what counts; it is called by one thread at a time.
class ProgressLine {
 public:
  /// `unit` is what is counted: "faults".
  ProgressLine(std::string unit, bool quiet);
  ~ProgressLine();
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  void report(std::uint64_t done, std::uint64_t total, double seconds);
  Progress callback();

  /// Removes the bar, so that other text may follow.
  void clear();

 private:
  std::string unit_;
  bool quiet_;
  bool terminal_;
  bool shown_ = false;
  double last_ = 0;
  std::uint64_t at_start_ = 0;
  bool started_ = false;
};

}  // namespace flipscope::cli
