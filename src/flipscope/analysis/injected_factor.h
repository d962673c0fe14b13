// The outcome of every fault of a target: how many pairs of a fault and a sample matter.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace flipscope {

/// Pairs whose faulty value was held against a layer's thresholds (detection.h).
struct Detection {
  std::uint64_t matter = 0, caught = 0;    ///< that matter; of these with an alarm
  std::uint64_t harmless = 0, raised = 0;  ///< that do not; of these with an alarm

  void count(bool matters, bool alarm) {
    ++(matters ? matter : harmless);
    if (alarm) ++(matters ? caught : raised);
  }
  Detection& operator+=(const Detection& more);
};

/// Pairs of a fault and a sample. What is neither proved, masked nor run had another's effect.
struct InjectedFactor {
  std::uint64_t pairs = 0;
  std::uint64_t matter = 0;  ///< decision changed, or an output NaN or infinite
  std::uint64_t proved = 0;  ///< too small to change a decision (decision_bound.h)
  std::uint64_t masked = 0;  ///< changed nothing behind their channel
  std::uint64_t ended = 0;   ///< run as far as to where what differed was too small
  std::uint64_t runs = 0;    ///< needed a run to the output

  Detection detection;

  /// Samples that matter, of every fault: words ascending, masks in order.
  std::vector<std::uint32_t> by_fault;

  InjectedFactor& operator+=(const InjectedFactor& more);

  /// 0 where there is no fault: an output that reads padding alone.
  double factor() const {
    return pairs == 0 ? 0 : static_cast<double>(matter) / static_cast<double>(pairs);
  }
};

/// As text, and back.
std::string to_text(const InjectedFactor& factor);
InjectedFactor factor_from_text(const std::string& text);

}  // namespace flipscope
