// Progress from many threads, one report at a time.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>

namespace flipscope {

/// Hands a count on, now and then and one call at a time.
class Ticker {
 public:
  static constexpr double kSeconds = 0.2;  ///< between two reports

  /// `tick` must outlive it.
  explicit Ticker(const std::function<void(std::uint64_t)>& tick) : tick_(tick) {}

  void operator()(std::uint64_t done) {
    const std::unique_lock lock(mutex_, std::try_to_lock);
    if (!lock || !tick_) return;
    const auto now = std::chrono::steady_clock::now();
    if (std::chrono::duration<double>(now - last_).count() < kSeconds || done < highest_) return;
    last_ = now;
    highest_ = done;
    tick_(done);
  }

 private:
  const std::function<void(std::uint64_t)>& tick_;
  std::mutex mutex_;
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
  std::uint64_t highest_ = 0;
};

}  // namespace flipscope
