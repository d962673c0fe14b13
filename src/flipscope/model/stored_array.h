// An array as a file holds it: undecoded bytes with their shape and element type.
#pragma once

#include <cstdint>
#include <string>

#include "flipscope/numeric/tensor.h"

namespace flipscope {

struct StoredArray {
  std::string name;  ///< the file, for messages
  Shape shape;
  ElementType type = ElementType::float64;
  bool big_endian = false;
  bool fortran_order = false;  ///< the first axis varies fastest
  std::string bytes;
  std::size_t offset = 0;  ///< of the first element in `bytes`
};

/// Bits that one element takes in a file.
int element_bits(ElementType type);

/// Of types of whole bytes. Throws Error unless the bytes from `offset` to the end are exactly the
/// elements of `shape`.
void check_size(const StoredArray& array, const char* part);

/// Elements [first, first + count), numbered in C order whatever the file's order is. Throws Error
/// at an integer of 2^53 or more, where a double skips numbers. Requires check_size().
void decode(const StoredArray& array, std::int64_t first, std::int64_t count, double* out);

/// The whole array. Throws as decode() does.
Tensor decode_all(const StoredArray& array);

}  // namespace flipscope
