// An array as a file holds it, and its elements as numbers.
#include "flipscope/model/stored_array.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cmath>
#include <cstring>
#include <type_traits>

#include "flipscope/numeric/error.h"
#include "flipscope/numeric/float_format.h"

namespace flipscope {
namespace {

/// Where the element with C-order number i lies in a file whose first axis varies fastest.
std::int64_t fortran_position(const Shape& shape, std::int64_t i) {
  std::int64_t position = 0;
  std::int64_t stride = element_count(shape);
  for (std::size_t axis = shape.size(); axis-- > 0;) {
    stride /= shape[axis];
    position += i % shape[axis] * stride;
    i /= shape[axis];
  }
  return position;
}

/// Bits of one element of type T (an unsigned integer) in the machine's own order.
template <typename T>
T load(const char* from, bool swap) {
  char bytes[sizeof(T)];
  std::memcpy(bytes, from, sizeof(T));
  if (swap) std::reverse(bytes, bytes + sizeof(T));
  T word;
  std::memcpy(&word, bytes, sizeof(T));
  return word;
}

template <typename T, typename Convert>
void decode_as(const StoredArray& array, std::int64_t first, std::int64_t count, double* out,
               Convert convert) {
  const bool swap = array.big_endian != (std::endian::native == std::endian::big);
  const char* base = array.bytes.data() + array.offset;
  for (std::int64_t k = 0; k < count; ++k) {
    const std::int64_t at =
        array.fortran_order ? fortran_position(array.shape, first + k) : first + k;
    const double value = convert(load<T>(base + at * static_cast<std::int64_t>(sizeof(T)), swap));
    if constexpr (sizeof(T) == 8) {
      if (array.type != ElementType::float64 && std::abs(value) >= 0x1p53) {
        fail("array", "{}: element {} is an integer of 2^53 or more, which is not supported",
             array.name, first + k);
      }
    }
    out[k] = value;
  }
}

}  // namespace

int element_bits(ElementType type) {
  switch (type) {
    case ElementType::int4:
    case ElementType::uint4:
      return 4;
    case ElementType::int8:
    case ElementType::uint8:
    case ElementType::boolean:
      return 8;
    case ElementType::float16:
    case ElementType::bfloat16:
    case ElementType::int16:
    case ElementType::uint16:
      return 16;
    case ElementType::float32:
    case ElementType::int32:
    case ElementType::uint32:
      return 32;
    case ElementType::float64:
    case ElementType::int64:
    case ElementType::uint64:
      return 64;
  }
  return 64;
}

void check_size(const StoredArray& array, const char* part) {
  std::int64_t count = 1;
  for (const std::int64_t size : array.shape) {
    if (size < 0 || (size > 0 && count > kMostElements / size)) {
      fail(part, "{}: the shape {} is impossible; the file is damaged or too large", array.name,
           to_string(array.shape));
    }
    count *= size;
  }
  assert(element_bits(array.type) % 8 == 0);
  const std::size_t needed =
      static_cast<std::size_t>(count) * static_cast<std::size_t>(element_bits(array.type) / 8);
  const std::size_t found = array.bytes.size() - array.offset;
  if (needed != found) {
    fail(part, "{}: {} {} elements take {} bytes, but the file holds {}; it is {}", array.name,
         to_string(array.shape), to_string(array.type), needed, found,
         found < needed ? "cut short" : "damaged");
  }
}

void decode(const StoredArray& array, std::int64_t first, std::int64_t count, double* out) {
  const auto as = [&]<typename T>(T, auto convert) {
    decode_as<T>(array, first, count, out, convert);
  };
  const auto number = [](auto x) { return static_cast<double>(x); };
  switch (array.type) {
    case ElementType::boolean:
      return as(std::uint8_t{}, [](std::uint8_t w) { return w != 0 ? 1.0 : 0.0; });
    case ElementType::uint8:
      return as(std::uint8_t{}, number);
    case ElementType::uint16:
      return as(std::uint16_t{}, number);
    case ElementType::uint32:
      return as(std::uint32_t{}, number);
    case ElementType::uint64:
      return as(std::uint64_t{}, number);
    case ElementType::int8:
      return as(std::uint8_t{},
                [](std::uint8_t w) { return static_cast<double>(std::bit_cast<std::int8_t>(w)); });
    case ElementType::int16:
      return as(std::uint16_t{}, [](std::uint16_t w) {
        return static_cast<double>(std::bit_cast<std::int16_t>(w));
      });
    case ElementType::int32:
      return as(std::uint32_t{}, [](std::uint32_t w) {
        return static_cast<double>(std::bit_cast<std::int32_t>(w));
      });
    case ElementType::int64:
      return as(std::uint64_t{}, [](std::uint64_t w) {
        return static_cast<double>(std::bit_cast<std::int64_t>(w));
      });
    case ElementType::float16:
      return as(std::uint16_t{}, [](std::uint16_t w) { return decode_float(kFloat16, w); });
    case ElementType::bfloat16:
      return as(std::uint16_t{}, [](std::uint16_t w) { return decode_float(kBfloat16, w); });
    case ElementType::float32:
      return as(std::uint32_t{}, [](std::uint32_t w) { return double{std::bit_cast<float>(w)}; });
    case ElementType::float64:
      return as(std::uint64_t{}, [](std::uint64_t w) { return std::bit_cast<double>(w); });
    case ElementType::int4:
    case ElementType::uint4:
      break;
  }
  assert(false && "a type of whole bytes");
}

Tensor decode_all(const StoredArray& array) {
  Tensor tensor{array.type, array.shape, {}};
  const std::int64_t count = element_count(array.shape);
  tensor.data.resize(static_cast<std::size_t>(count));
  decode(array, 0, count, tensor.data.data());
  return tensor;
}

}  // namespace flipscope
