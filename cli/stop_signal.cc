#include "stop_signal.h"

#include <csignal>

namespace flipscope::cli {

namespace {

std::atomic<bool> stop{false};
static_assert(std::atomic<bool>::is_always_lock_free);

extern "C" void raise_stop_flag(int signal) {
  stop.store(true);
  std::signal(signal, SIG_DFL);
}

}  // namespace

const std::atomic<bool>& stop_signal() {
  std::signal(SIGINT, raise_stop_flag);
  std::signal(SIGTERM, raise_stop_flag);
  return stop;
}

}  // namespace flipscope::cli
