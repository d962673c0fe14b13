// What a person sees: tables, bars, numbers, and progress.
#include "terminal.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstring>

#include "flipscope/numeric/error.h"

namespace flipscope::cli {

namespace {

constexpr double kBarInterval = 0.1;   // s between two drawings of the bar
constexpr double kLineInterval = 5.0;  // s between two plain lines
constexpr int kProgressWidth = 24;

/// Cells that UTF-8 text takes on a terminal.
std::size_t cells(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

bool output_failed = false;

}  // namespace

void print(const std::string& text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size()) output_failed = true;
}

void finish_output() {
  if (std::fflush(stdout) != 0 || output_failed || std::ferror(stdout) != 0) {
    fail("output", "standard output cannot be written ({}); give it to a file with more room",
         std::strerror(errno));
  }
}

Table::Table(std::vector<std::string> header, std::string alignment)
    : rows_{std::move(header)}, alignment_(std::move(alignment)) {}

void Table::row(std::vector<std::string> cells_of_row) {
  rows_.push_back(std::move(cells_of_row));
}

std::string Table::text() const {
  std::vector<std::size_t> width(alignment_.size(), 0);
  for (const auto& row : rows_) {
    for (std::size_t c = 0; c < row.size(); ++c) width[c] = std::max(width[c], cells(row[c]));
  }
  std::string text;
  for (std::size_t r = 0; r < rows_.size(); ++r) {
    std::string line;
    for (std::size_t c = 0; c < rows_[r].size(); ++c) {
      const std::string pad(width[c] - cells(rows_[r][c]), ' ');
      line += (c > 0 ? "  " : "") + (alignment_[c] == 'r' ? pad + rows_[r][c] : rows_[r][c] + pad);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
    if (r > 0) continue;
    line.clear();
    for (std::size_t c = 0; c < width.size(); ++c) {
      line += (c > 0 ? "  " : "") + std::string(width[c], '-');
    }
    text += line + "\n";
  }
  return text;
}

ProgressLine::ProgressLine(std::string unit, bool quiet)
    : unit_(std::move(unit)), quiet_(quiet), terminal_(isatty(STDERR_FILENO) == 1) {}

ProgressLine::~ProgressLine() {
  clear();
}

void ProgressLine::report(std::uint64_t done, std::uint64_t total, double seconds) {
  if (!started_) {
    started_ = true;
    at_start_ = done;
  }
  if (quiet_ || seconds - last_ < (terminal_ ? kBarInterval : kLineInterval)) return;
  last_ = seconds;
  const double rate = static_cast<double>(done - std::min(done, at_start_)) / seconds;
  const std::string left =
      rate > 0 && total > done ? duration(static_cast<double>(total - done) / rate) : "?";
  const std::string counts = fmt::format("{} of {} {}, {:.3g}/s, {} left", grouped(done),
                                         grouped(total), unit_, rate, left);
  if (terminal_) {
    const double share = total > 0 ? static_cast<double>(done) / static_cast<double>(total) : 0;
    std::fputs(fmt::format("\r\x1b[K{}▏{}", bar(share, kProgressWidth), counts).c_str(), stderr);
    std::fflush(stderr);
    shown_ = true;
  } else {
    std::fputs((counts + "\n").c_str(), stderr);
  }
}

Progress ProgressLine::callback() {
  return [this](std::uint64_t done, std::uint64_t total, double seconds) {
    report(done, total, seconds);
  };
}

void ProgressLine::clear() {
  if (!shown_) return;
  std::fputs("\r\x1b[K", stderr);
  std::fflush(stderr);
  shown_ = false;
}

}  // namespace flipscope::cli
