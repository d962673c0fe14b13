#include "thread_count.h"

#include "flipscope/campaign/thread_count.h"

namespace flipscope::cli {

std::size_t thread_count(const Options& options) {
  return static_cast<std::size_t>(flipscope::thread_count(options.campaign.threads));
}

}  // namespace flipscope::cli
