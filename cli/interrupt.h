// Ctrl-C: the first asks to stop after what is at work, the second ends the program.
#pragma once

#include <atomic>

namespace flipscope::cli {

/// From now on the flag is set by the first SIGINT or SIGTERM.
const std::atomic<bool>& stop_on_interrupt();

}  // namespace flipscope::cli
