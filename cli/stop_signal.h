// Ctrl-C, asked for politely.
#pragma once

#include <atomic>

namespace flipscope::cli {

/// A flag that the first SIGINT or SIGTERM from now on sets; the second ends the program.
const std::atomic<bool>& stop_signal();

}  // namespace flipscope::cli
