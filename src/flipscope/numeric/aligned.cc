#include "flipscope/numeric/aligned.h"

#include <sys/mman.h>

#include <cstdlib>

namespace flipscope {

void* allocate_bytes(std::size_t bytes) {
  // Neighbouring elements of a plane lie in many small pages, more than the processor's page tables
  // cache; huge pages are few.
  constexpr std::size_t kCacheLine = 64, kHugePage = std::size_t{2} << 20;
  const std::size_t alignment = bytes >= kHugePage ? kHugePage : kCacheLine;
  const std::size_t whole = (bytes + alignment - 1) / alignment * alignment;
  void* memory = std::aligned_alloc(alignment, whole);
  if (!memory) throw std::bad_alloc();
  if (alignment == kHugePage) madvise(memory, whole, MADV_HUGEPAGE);
  return memory;
}

void free_bytes(void* memory) {
  std::free(memory);
}

}  // namespace flipscope
