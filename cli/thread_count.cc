#include "thread_count.h"

#include <algorithm>
#include <thread>

namespace flipscope::cli {

std::size_t thread_count(const Options& options) {
  const int asked = options.campaign.threads;
  return asked > 0 ? static_cast<std::size_t>(asked)
                   : std::max<std::size_t>(1, std::thread::hardware_concurrency());
}

}  // namespace flipscope::cli
