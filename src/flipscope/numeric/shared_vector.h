// A vector whose copies share their elements until one of them is edited.
//
// Weights pass an importer by value, from operator to operator, and few of these change them.
#pragma once

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

namespace flipscope {

/// For one thread.
template <typename T>
class SharedVector {
 public:
  SharedVector() = default;
  SharedVector(std::vector<T> elements)
      : elements_(std::make_shared<std::vector<T>>(std::move(elements))) {}

  const std::vector<T>& operator*() const { return elements_ ? *elements_ : none(); }
  const std::vector<T>* operator->() const { return &**this; }
  const T& operator[](std::size_t i) const { return (**this)[i]; }

  /// Elements of its own, to be written to until this is copied.
  std::vector<T>& edit() {
    if (!elements_ || elements_.use_count() > 1) {
      elements_ = std::make_shared<std::vector<T>>(**this);
    }
    return *elements_;
  }

  bool operator==(const SharedVector& other) const {
    return elements_ == other.elements_ || **this == *other;
  }

 private:
  static const std::vector<T>& none() {
    static const std::vector<T> empty;
    return empty;
  }

  std::shared_ptr<std::vector<T>> elements_;
};

}  // namespace flipscope
