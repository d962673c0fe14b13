// Ctrl-C, asked for politely.
#pragma once

#include <atomic>
#include <string>

namespace flipscope::cli {

/// From now on, until one of the others is asked for, SIGINT and SIGTERM end the program with exit
/// code 3.
void end_at_signals();

/// A flag that the first SIGINT or SIGTERM from now on sets; the second ends the program.
const std::atomic<bool>& stop_signal();

/// For work that leaves nothing half done at any moment: while this lives, SIGINT and SIGTERM end
/// the program with exit code 3. Then, as files are written, the first of them is waited out.
class EndAtSignal {
 public:
  /// `says`, one line without its end, goes to standard error.
  explicit EndAtSignal(const std::string& says);
  ~EndAtSignal();
  EndAtSignal(const EndAtSignal&) = delete;
  EndAtSignal& operator=(const EndAtSignal&) = delete;
};

}  // namespace flipscope::cli
