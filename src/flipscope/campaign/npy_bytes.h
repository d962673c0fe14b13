// Arrays as the bytes of a NumPy .npy file, format version 1.0 (numpy.lib.format).
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "flipscope/numeric/tensor.h"

namespace flipscope {

std::string npy_bytes(const Shape& shape, std::span<const float> values);
std::string npy_bytes(const Shape& shape, std::span<const double> values);
std::string npy_bytes(const Shape& shape, std::span<const std::int32_t> values);
std::string npy_bytes(const Shape& shape, std::span<const std::int64_t> values);

/// A one-dimensional array of texts, as NumPy's fixed-width unicode.
std::string npy_texts(std::span<const std::string> texts);

}  // namespace flipscope
