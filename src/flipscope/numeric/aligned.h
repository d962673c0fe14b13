// Arrays that start on a cache line (large ones: on a huge page), and whose new elements are not
// set to zero first.
#pragma once

#include <cstddef>
#include <new>
#include <vector>

namespace flipscope {

void* allocate_bytes(std::size_t bytes);
void free_bytes(void* memory);

template <typename T>
struct CacheLineAllocator {
  using value_type = T;

  CacheLineAllocator() = default;
  template <typename U>
  CacheLineAllocator(const CacheLineAllocator<U>&) {}

  T* allocate(std::size_t n) { return static_cast<T*>(allocate_bytes(n * sizeof(T))); }
  void deallocate(T* p, std::size_t) { free_bytes(p); }

  template <typename U>
  void construct(U* p) {
    ::new (static_cast<void*>(p)) U;
  }

  template <typename U>
  bool operator==(const CacheLineAllocator<U>&) const {
    return true;
  }
};

template <typename T>
using AlignedVector = std::vector<T, CacheLineAllocator<T>>;

}  // namespace flipscope
