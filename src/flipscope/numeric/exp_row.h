// The exponential of many numbers, with the bits of det::exp.
#pragma once

#include <cstdint>

namespace flipscope::det {

/// out[i] = exp(x[i]); x and out may be the same array.
void exp_row(const float* x, float* out, std::int64_t count);
void exp_row(const double* x, double* out, std::int64_t count);

}  // namespace flipscope::det
