// NumPy's .npy files: magic, version, a Python dictionary as text, then the elements.
#include "flipscope/model/npy.h"

#include <bit>
#include <charconv>
#include <cstring>
#include <optional>
#include <string_view>

#include "flipscope/model/file_bytes.h"
#include "flipscope/numeric/error.h"

namespace flipscope {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";

/// Reads {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), } with its keys in any order.
class HeaderReader {
 public:
  HeaderReader(const std::string& name, std::string_view text) : name_(name), rest_(text) {}

  void read(StoredArray& array) {
    bool seen_type = false;
    bool seen_order = false;
    bool seen_shape = false;
    expect('{');
    while (!take('}')) {
      const std::string_view key = quoted();
      expect(':');
      if (key == "descr") {
        seen_type = true;
        if (next() != '\'' && next() != '"') {
          fail("npy", "{}: holds records; only arrays of plain numbers can be read", name_);
        }
        set_type(array, quoted());
      } else if (key == "fortran_order") {
        seen_order = true;
        array.fortran_order = boolean();
      } else if (key == "shape") {
        seen_shape = true;
        array.shape = shape();
      } else {
        broken();
      }
      take(',');
    }
    next();
    if (!rest_.empty() || !seen_type || !seen_order || !seen_shape) broken();
  }

 private:
  [[noreturn]] void broken() const {
    fail("npy", "{}: the header is damaged; expected descr, fortran_order and shape", name_);
  }

  char next() {
    while (!rest_.empty() && std::strchr(" \t\r\n", rest_[0]) != nullptr) rest_.remove_prefix(1);
    return rest_.empty() ? '\0' : rest_[0];
  }

  bool take(char c) {
    if (next() != c || rest_.empty()) return false;
    rest_.remove_prefix(1);
    return true;
  }

  void expect(char c) {
    if (!take(c)) broken();
  }

  std::string_view quoted() {
    const char quote = next();
    if (quote != '\'' && quote != '"') broken();
    const std::size_t end = rest_.find(quote, 1);
    if (end == std::string_view::npos) broken();
    const std::string_view text = rest_.substr(1, end - 1);
    rest_.remove_prefix(end + 1);
    return text;
  }

  bool boolean() {
    next();
    const bool value = rest_.starts_with("True");
    if (!value && !rest_.starts_with("False")) broken();
    rest_.remove_prefix(value ? 4 : 5);
    return value;
  }

  Shape shape() {
    Shape sizes;
    expect('(');
    while (!take(')')) {
      next();
      std::int64_t size = 0;
      const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), size);
      if (error != std::errc{} || sizes.size() == 64) broken();
      rest_.remove_prefix(static_cast<std::size_t>(end - rest_.data()));
      take('L');
      sizes.push_back(size);
      if (!take(',') && next() != ')') broken();
    }
    return sizes;
  }

  void set_type(StoredArray& array, std::string_view text) const {
    static constexpr struct {
      std::string_view code;
      ElementType type;
    } kTypes[] = {
        {"b1", ElementType::boolean}, {"i1", ElementType::int8},    {"u1", ElementType::uint8},
        {"i2", ElementType::int16},   {"u2", ElementType::uint16},  {"i4", ElementType::int32},
        {"u4", ElementType::uint32},  {"i8", ElementType::int64},   {"u8", ElementType::uint64},
        {"f2", ElementType::float16}, {"f4", ElementType::float32}, {"f8", ElementType::float64},
    };
    const char order = text.empty() ? '\0' : text[0];
    if (order == '<' || order == '>' || order == '|' || order == '=') text.remove_prefix(1);
    array.big_endian = order == '>' || (order != '<' && std::endian::native == std::endian::big);
    for (const auto& [code, type] : kTypes) {
      if (text == code) {
        array.type = type;
        return;
      }
    }
    fail("npy",
         "{}: element type '{}' is not supported; booleans, integers and floats up to 8 "
         "bytes are",
         name_, text);
  }

  const std::string& name_;
  std::string_view rest_;
};

}  // namespace

StoredArray parse_npy(const std::string& name, std::string bytes) {
  StoredArray array;
  array.name = name;
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
  if (bytes.size() < 12 || !std::string_view(bytes).starts_with(kMagic)) {
    fail("npy", "{}: is not an .npy file (its first bytes are not \\x93NUMPY)", name);
  }
  const int version = byte(6);
  if (version < 1 || version > 3) {
    fail("npy", "{}: format version {} is not supported; 1 to 3 are", name, version);
  }
  std::size_t begin = 10;
  std::size_t length = byte(8) | std::size_t{byte(9)} << 8;
  if (version > 1) {
    begin = 12;
    length |= std::size_t{byte(10)} << 16 | std::size_t{byte(11)} << 24;
  }
  if (length > bytes.size() - begin) fail("npy", "{}: is cut short inside its header", name);
  HeaderReader(name, std::string_view(bytes).substr(begin, length)).read(array);
  array.offset = begin + length;
  array.bytes = std::move(bytes);
  check_size(array, "npy");
  return array;
}

void write_npy(const std::string& path, const Shape& shape, const float* values) {
  std::string sizes;
  for (const std::int64_t size : shape) sizes += fmt::format("{}, ", size);
  std::string header =
      fmt::format("{{'descr': '<f4', 'fortran_order': False, 'shape': ({}), }}", sizes);
  constexpr std::size_t kPrefix = 10;
  header.append(63 - (kPrefix + header.size()) % 64, ' ');
  header += '\n';
  const std::size_t count = static_cast<std::size_t>(element_count(shape));
  std::string bytes;
  bytes.reserve(kPrefix + header.size() + 4 * count);
  bytes += kMagic;
  bytes +=
      {'\1', '\0', static_cast<char>(header.size() & 0xff), static_cast<char>(header.size() >> 8)};
  bytes += header;
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint32_t word = std::bit_cast<std::uint32_t>(values[i]);
    for (int shift = 0; shift < 32; shift += 8) bytes += static_cast<char>(word >> shift & 0xff);
  }
  write_file_atomically(path, bytes);
}

}  // namespace flipscope
