// IDX files: 0, 0, a type code, the rank, big-endian 32-bit sizes, big-endian elements in C order.
#include "flipscope/model/idx.h"

#include <optional>

#include "flipscope/numeric/error.h"

namespace flipscope {
namespace {

std::optional<ElementType> type_of(unsigned char code) {
  switch (code) {
    case 0x08:
      return ElementType::uint8;
    case 0x09:
      return ElementType::int8;
    case 0x0b:
      return ElementType::int16;
    case 0x0c:
      return ElementType::int32;
    case 0x0d:
      return ElementType::float32;
    case 0x0e:
      return ElementType::float64;
    default:
      return {};
  }
}

}  // namespace

bool looks_like_idx(std::string_view bytes) {
  return bytes.size() >= 4 && bytes[0] == 0 && bytes[1] == 0 &&
         type_of(static_cast<unsigned char>(bytes[2])) && bytes[3] > 0 && bytes[3] <= 16;
}

StoredArray parse_idx(const std::string& name, std::string bytes) {
  if (!looks_like_idx(bytes)) fail("idx", "{}: is not an IDX file", name);
  const auto byte = [&](std::size_t i) {
    return std::int64_t{static_cast<unsigned char>(bytes[i])};
  };
  StoredArray array;
  array.name = name;
  array.type = *type_of(static_cast<unsigned char>(bytes[2]));
  array.big_endian = true;
  const std::size_t rank = static_cast<unsigned char>(bytes[3]);
  array.offset = 4 + 4 * rank;
  if (bytes.size() < array.offset) fail("idx", "{}: is cut short inside its header", name);
  for (std::size_t at = 4; at < array.offset; at += 4) {
    array.shape.push_back(byte(at) << 24 | byte(at + 1) << 16 | byte(at + 2) << 8 | byte(at + 3));
  }
  array.bytes = std::move(bytes);
  check_size(array, "idx");
  return array;
}

}  // namespace flipscope
