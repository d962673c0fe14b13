// The command line's entry.
#include "stop_signal.h"
#include "verbs.h"

int main(int argc, char** argv) {
  flipscope::cli::end_at_signals();
  return flipscope::cli::run_program({argv + (argc > 0), argv + argc});
}
