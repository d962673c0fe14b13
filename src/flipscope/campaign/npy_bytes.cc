// Arrays as the bytes of a NumPy .npy file.
#include "flipscope/campaign/npy_bytes.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cassert>

namespace flipscope {
namespace {

static_assert(std::endian::native == std::endian::little);

std::string header(const std::string& type, const Shape& shape) {
  constexpr std::size_t kAlignment = 64;
  constexpr std::size_t kPrefix = 10;
  std::string text = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}{}), }}",
                                 type, fmt::join(shape, ", "), shape.size() == 1 ? "," : "");
  text.append(kAlignment - (kPrefix + text.size() + 1) % kAlignment, ' ');
  text += '\n';
  const auto length = static_cast<std::uint16_t>(text.size());
  std::string bytes = "\x93NUMPY";
  bytes += '\x01';
  bytes += '\0';
  bytes += static_cast<char>(length & 0xff);
  bytes += static_cast<char>(length >> 8);
  return bytes + text;
}

template <typename T>
std::string array(const char* type, const Shape& shape, std::span<const T> values) {
  assert(element_count(shape) == static_cast<std::int64_t>(values.size()));
  std::string bytes = header(type, shape);
  bytes.append(reinterpret_cast<const char*>(values.data()), values.size_bytes());
  return bytes;
}

/// The code points of UTF-8 text; a byte that starts none stands for itself.
std::u32string code_points(const std::string& text) {
  std::u32string points;
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const int more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : lead >= 0xc0 ? 1 : 0;
    char32_t point = more == 0 ? lead : lead & (0x3f >> more);
    ++i;
    for (int k = 0; k < more && i < text.size(); ++k, ++i) {
      point = point << 6 | (static_cast<unsigned char>(text[i]) & 0x3f);
    }
    points += point;
  }
  return points;
}

}  // namespace

std::string npy_bytes(const Shape& shape, std::span<const float> values) {
  return array("<f4", shape, values);
}
std::string npy_bytes(const Shape& shape, std::span<const double> values) {
  return array("<f8", shape, values);
}
std::string npy_bytes(const Shape& shape, std::span<const std::int32_t> values) {
  return array("<i4", shape, values);
}
std::string npy_bytes(const Shape& shape, std::span<const std::int64_t> values) {
  return array("<i8", shape, values);
}

std::string npy_texts(std::span<const std::string> texts) {
  std::vector<std::u32string> rows;
  std::size_t width = 1;
  for (const std::string& text : texts) {
    rows.push_back(code_points(text));
    width = std::max(width, rows.back().size());
  }
  std::string bytes = header(fmt::format("<U{}", width), {static_cast<std::int64_t>(texts.size())});
  for (std::u32string& row : rows) {
    row.resize(width);
    bytes.append(reinterpret_cast<const char*>(row.data()), row.size() * sizeof(char32_t));
  }
  return bytes;
}

}  // namespace flipscope
