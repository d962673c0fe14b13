// Elements of ONNX tensors as bytes hold them, and the files beside a model that hold more of them.
#include "flipscope/model/onnx_element.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <fstream>

#include "flipscope/model/stored_array.h"
#include "flipscope/model/text.h"
#include "flipscope/numeric/error.h"
#include "flipscope/numeric/number_format.h"

namespace flipscope {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kExact = std::int64_t{1} << 53;

template <typename T>
T load(const char* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

}  // namespace

// By number, as the newest types are unknown to older schemas.
std::optional<ElementType> onnx_element_type(std::int64_t number) {
  switch (number) {
    case 1:
      return ElementType::float32;
    case 2:
      return ElementType::uint8;
    case 3:
      return ElementType::int8;
    case 4:
      return ElementType::uint16;
    case 5:
      return ElementType::int16;
    case 6:
      return ElementType::int32;
    case 7:
      return ElementType::int64;
    case 9:
      return ElementType::boolean;
    case 10:
      return ElementType::float16;
    case 11:
      return ElementType::float64;
    case 12:
      return ElementType::uint32;
    case 13:
      return ElementType::uint64;
    case 16:
      return ElementType::bfloat16;
    case 21:
      return ElementType::uint4;
    case 22:
      return ElementType::int4;
    default:
      return {};
  }
}

double exact_integer(std::int64_t value) {
  if (value >= kFarInteger) return static_cast<double>(kFarInteger);
  if (value <= -kFarInteger) return -static_cast<double>(kFarInteger);
  if (value > kExact || value < -kExact) {
    fail("tensor", "the integer {} is beyond 2^53", value);
  }
  return static_cast<double>(value);
}

double exact_integer(std::uint64_t value) {
  return exact_integer(static_cast<std::int64_t>(std::min<std::uint64_t>(value, kFarInteger)));
}

double int4_from_bits(unsigned nibble, bool is_signed) {
  const int value = static_cast<int>(nibble & 15U);
  return is_signed && value > 7 ? value - 16 : value;
}

double element_from_bits(ElementType type, std::uint64_t bits) {
  const auto low = static_cast<std::uint32_t>(bits);
  switch (type) {
    case ElementType::float32:
      return std::bit_cast<float>(low);
    case ElementType::float64:
      return std::bit_cast<double>(bits);
    case ElementType::float16:
      return decode(float16_format(), low & 0xFFFFU);
    case ElementType::bfloat16:
      return decode(bfloat16_format(), low & 0xFFFFU);
    case ElementType::int4:
      return int4_from_bits(low, true);
    case ElementType::uint4:
      return int4_from_bits(low, false);
    case ElementType::int8:
      return static_cast<std::int8_t>(low);
    case ElementType::uint8:
      return static_cast<std::uint8_t>(low);
    case ElementType::int16:
      return static_cast<std::int16_t>(low);
    case ElementType::uint16:
      return static_cast<std::uint16_t>(low);
    case ElementType::int32:
      return static_cast<std::int32_t>(low);
    case ElementType::uint32:
      return low;
    case ElementType::int64:
      return exact_integer(static_cast<std::int64_t>(bits));
    case ElementType::uint64:
      return exact_integer(bits);
    case ElementType::boolean:
      return (low & 0xFFU) != 0 ? 1 : 0;
  }
  return 0;
}

std::vector<double> elements_from_bytes(ElementType type, const char* data, std::size_t size,
                                        std::int64_t count) {
  const int bits = element_bits(type);
  const auto expected = (static_cast<std::uint64_t>(count) * static_cast<unsigned>(bits) + 7) / 8;
  if (expected != size) {
    fail("tensor", "its shape needs {} bytes of {}, the file holds {}", expected, to_string(type),
         size);
  }
  std::vector<double> values(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < values.size(); ++i) {
    std::uint64_t word = 0;
    switch (bits) {
      case 4:
        word = load<std::uint8_t>(data + i / 2) >> (i % 2 == 0 ? 0 : 4);
        break;
      case 8:
        word = load<std::uint8_t>(data + i);
        break;
      case 16:
        word = load<std::uint16_t>(data + 2 * i);
        break;
      case 32:
        word = load<std::uint32_t>(data + 4 * i);
        break;
      default:
        word = load<std::uint64_t>(data + 8 * i);
        break;
    }
    values[i] = element_from_bits(type, word);
  }
  return values;
}

std::string read_external_data(const ExternalData& external, const fs::path& folder,
                               std::uint64_t expected) {
  std::string location;
  std::uint64_t offset = 0, length = expected;
  for (const auto& [key, value] : external) {
    const auto number = [&name = key, &text = value] {
      const auto parsed = parse_whole<std::uint64_t>(text);
      if (!parsed) fail("tensor", "external data: {} is \"{}\", not a number", name, text);
      return *parsed;
    };
    if (key == "location") location = value;
    if (key == "offset") offset = number();
    if (key == "length") length = number();
  }
  const fs::path relative(location);
  std::error_code error;
  const fs::path root = fs::weakly_canonical(folder.empty() ? fs::path(".") : folder, error);
  const fs::path whole = fs::weakly_canonical(root / relative, error);
  const auto [rest, ignored] = std::mismatch(root.begin(), root.end(), whole.begin(), whole.end());
  if (location.empty() || relative.is_absolute() || error || rest != root.end()) {
    fail("tensor", "external data \"{}\" must be a file in the model's own folder", location);
  }
  if (!fs::is_regular_file(whole, error)) {
    fail("tensor", "external data file \"{}\" does not exist beside the model", location);
  }
  const std::uint64_t size = fs::file_size(whole, error);
  if (error || length != expected || offset > size || length > size - offset) {
    fail("tensor", "external data \"{}\": {} bytes from {} of {} bytes, its shape needs {}",
         location, length, offset, size, expected);
  }
  std::string bytes(length, '\0');
  std::ifstream stream(whole, std::ios::binary);
  stream.seekg(static_cast<std::streamoff>(offset));
  if (!stream.read(bytes.data(), static_cast<std::streamsize>(length))) {
    fail("tensor", "external data file \"{}\" cannot be read", location);
  }
  return bytes;
}

}  // namespace flipscope
