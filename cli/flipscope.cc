// The command line's entry.
#include "verbs.h"

int main(int argc, char** argv) {
  return flipscope::cli::run_program({argv + (argc > 0), argv + argc});
}
