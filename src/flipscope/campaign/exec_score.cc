// A score that a program of the user's computes.
#include "flipscope/campaign/exec_score.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "flipscope/campaign/npy_bytes.h"
#include "flipscope/model/number_text.h"
#include "flipscope/numeric/error.h"

namespace flipscope {
namespace {

std::string shell_word(const std::string& text) {
  std::string word = "'";
  for (const char c : text) {
    if (c == '\'') {
      word += "'\\''";
    } else {
      word += c;
    }
  }
  return word + '\'';
}

std::optional<double> last_number(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\n,;:=";
  while (!text.empty()) {
    const auto end = text.find_last_not_of(kBlanks);
    if (end == std::string_view::npos) return {};
    const auto before = text.find_last_of(kBlanks, end);
    const std::size_t begin = before == std::string_view::npos ? 0 : before + 1;
    if (const auto number = parse_number(text.substr(begin, end + 1 - begin))) return number;
    text = text.substr(0, begin);
  }
  return {};
}

/// A file of this process alone, that need not outlive it: not synced, as there is one each fault.
void write_passing(const std::string& path, const std::string& bytes) {
  std::ofstream file(path, std::ios::binary);
  if (!file.write(bytes.data(), std::ssize(bytes)).flush()) {
    fail("score", "{} cannot be written: {}", path, std::strerror(errno));
  }
}

}  // namespace

ExecScore::ExecScore(std::string program, const Samples& samples, int values,
                     ScoreFunction function)
    : program_(std::move(program)),
      function_(std::move(function)),
      samples_(samples.count),
      values_(values),
      labelled_(!samples.labels.empty()) {
  if (function_) return;
  std::error_code error;
  std::string pattern = (std::filesystem::temp_directory_path(error) / "flipscope-XXXXXX").string();
  if (error || mkdtemp(pattern.data()) == nullptr) {
    fail("score", "no folder for temporary files: {}", std::strerror(errno));
  }
  folder_ = pattern;
  if (labelled_) {
    write_passing(folder_ + "/labels.npy", npy_bytes({samples_}, std::span(samples.labels)));
  }
}

ExecScore::~ExecScore() {
  if (function_) return;
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

double ExecScore::operator()(const float* outputs, std::uint64_t name) const {
  if (function_) return function_(outputs, samples_, values_);
  const std::string file = fmt::format("{}/outputs-{}.npy", folder_, name);
  write_passing(file, npy_bytes({samples_, values_},
                                std::span(outputs, static_cast<std::size_t>(samples_ * values_))));
  std::string command = program_ + " " + shell_word(file);
  if (labelled_) command += " " + shell_word(folder_ + "/labels.npy");
  FILE* const pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) fail("score", "'{}' cannot be started: {}", program_, std::strerror(errno));
  std::string printed;
  char buffer[4096];
  for (std::size_t n; (n = fread(buffer, 1, sizeof buffer, pipe)) > 0;) printed.append(buffer, n);
  const int status = pclose(pipe);
  std::error_code ignored;
  std::filesystem::remove(file, ignored);
  if (status != 0) {
    fail("score", "--score exec: '{}' failed with {} {}", program_,
         WIFSIGNALED(status) ? "signal" : "exit status",
         WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
  }
  const auto score = last_number(printed);
  if (!score) fail("score", "--score exec: '{}' printed no number", program_);
  return *score;
}

}  // namespace flipscope
