// Weighted sums of the columns of a matrix, all at once.
#pragma once

#include <cstdint>

namespace flipscope {

/// Columns are added in groups of this many.
inline constexpr std::int64_t kColumnGroup = 64;

/// sums[c] = Σ weight[r]·matrix[r·columns + c]; `columns` is a multiple of kColumnGroup. Rounding
/// depends on the instruction set: for what a choice is made by, never for a result.
void column_sums(const float* matrix, std::int64_t rows, std::int64_t columns, const float* weight,
                 float* sums);

}  // namespace flipscope
