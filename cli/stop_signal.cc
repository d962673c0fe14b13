#include "stop_signal.h"

#include <unistd.h>

#include <csignal>
#include <string_view>

namespace flipscope::cli {

namespace {

constexpr int kInterrupted = 3;

std::atomic<bool> stop{false};
static_assert(std::atomic<bool>::is_always_lock_free);

std::string last_words;  // not changed while end_program() may run

extern "C" void raise_stop_flag(int signal) {
  stop.store(true);
  std::signal(signal, SIG_DFL);
}

extern "C" void end_program(int) {
  [[maybe_unused]] const auto written = write(STDERR_FILENO, last_words.data(), last_words.size());
  _exit(kInterrupted);
}

extern "C" void end_early(int) {
  constexpr std::string_view kSays =
      "flipscope: [signal] interrupted; run the same command again\n";
  [[maybe_unused]] const auto written = write(STDERR_FILENO, kSays.data(), kSays.size());
  _exit(kInterrupted);
}

void at_signals(void (*handler)(int)) {
  std::signal(SIGINT, handler);
  std::signal(SIGTERM, handler);
}

}  // namespace

void end_at_signals() {
  at_signals(end_early);
}

const std::atomic<bool>& stop_signal() {
  at_signals(raise_stop_flag);
  return stop;
}

EndAtSignal::EndAtSignal(const std::string& says) {
  constexpr const char* kClearLine = "\r\x1b[K";  // of a bar of progress
  last_words = (isatty(STDERR_FILENO) == 1 ? kClearLine : "") + says + "\n";
  at_signals(end_program);
}

EndAtSignal::~EndAtSignal() {
  at_signals(raise_stop_flag);
}

}  // namespace flipscope::cli
