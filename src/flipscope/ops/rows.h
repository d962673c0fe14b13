// Rows: one element of a value in every lane. Kernels are loops over the lanes of a row.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "flipscope/ops/op.h"

namespace flipscope {

/// Calls f(i) for i in [0, n). Calls with different i must not depend on each other, so that the
/// compiler may vectorise the loop.
template <typename F>
inline void each_lane(std::int64_t n, F&& f) {
#pragma GCC ivdep
  for (std::int64_t i = 0; i < n; ++i) f(i);
}

/// The rows of an input. The row of a constant is spread over the lanes in a buffer, which lasts
/// until the next row is asked for; asking again for the same element is free.
template <typename T>
class Rows {
 public:
  Rows(const View<T>& view, int lanes)
      : view_(view), lanes_(lanes), buffer_(view.constant ? lanes : 0) {}

  const T* operator[](std::int64_t element) {
    if (!view_.constant) return view_.data + element * lanes_;
    if (element != spread_) {
      std::fill(buffer_.begin(), buffer_.end(), view_.data[element]);
      spread_ = element;
    }
    return buffer_.data();
  }

 private:
  View<T> view_;
  std::int64_t lanes_;
  std::vector<T> buffer_;
  std::int64_t spread_ = -1;
};

}  // namespace flipscope
