// How many threads a campaign runs on.
#pragma once

#include <oneapi/tbb/info.h>

namespace flipscope {

/// `asked`, or where that is 0 the cores that this process may use.
inline int thread_count(int asked) {
  return asked > 0 ? asked : tbb::info::default_concurrency();
}

}  // namespace flipscope
