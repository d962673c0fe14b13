// How the pairs of a fault and a sample were found out.
#pragma once

#include <cstdint>

namespace flipscope {

struct WorkCounts {
  std::uint64_t unchanged = 0;   ///< golden codes at the bottleneck
  std::uint64_t remembered = 0;  ///< codes that another fault had given the same sample
  std::uint64_t tail = 0;        ///< run from the bottleneck on
  std::uint64_t whole = 0;       ///< run from the fault to the output
  std::uint64_t proved = 0;      ///< too small to change the decision: not run (--arithmetic fast)

  WorkCounts& operator+=(const WorkCounts& more) {
    unchanged += more.unchanged;
    remembered += more.remembered;
    tail += more.tail;
    whole += more.whole;
    proved += more.proved;
    return *this;
  }
  std::uint64_t pairs() const { return unchanged + remembered + tail + whole + proved; }
  bool operator==(const WorkCounts&) const = default;
};

}  // namespace flipscope
