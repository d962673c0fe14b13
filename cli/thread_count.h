// How many threads a verb may use.
#pragma once

#include <cstddef>

#include "options.h"

namespace flipscope::cli {

/// --threads, or all cores.
std::size_t thread_count(const Options& options);

}  // namespace flipscope::cli
