// Elements of ONNX tensors as bytes hold them, and the files beside a model that hold more of them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "flipscope/numeric/tensor.h"

namespace flipscope {

/// The element type that the ONNX schema numbers so; empty where it is none that we know.
std::optional<ElementType> onnx_element_type(std::int64_t number);

/// What integers from 2^62 on become: "as far as possible" in slices.
inline constexpr std::int64_t kFarInteger = std::int64_t{1} << 62;

/// The integer as a double. Throws Error between 2^53 and 2^62, where a double skips integers.
double exact_integer(std::int64_t value);
double exact_integer(std::uint64_t value);

/// The number that the lowest bits stand for.
double element_from_bits(ElementType type, std::uint64_t bits);
/// Two of them share a byte.
double int4_from_bits(unsigned bits, bool is_signed);

/// Little-endian elements, int4 two to a byte with the first in the low half. Throws Error before
/// it allocates where the bytes are not exactly `count` elements.
std::vector<double> elements_from_bytes(ElementType type, const char* data, std::size_t size,
                                        std::int64_t count);

/// Keys and values of a tensor's external_data: location, offset, length.
using ExternalData = std::map<std::string, std::string>;

/// The `expected` bytes that an external file holds. It must lie in the model's own folder or
/// below, links resolved. Throws Error.
std::string read_external_data(const ExternalData& external, const std::filesystem::path& folder,
                               std::uint64_t expected);

}  // namespace flipscope
