// SLEEF's deterministic functions have the same bits in vectors of any width.
#include "flipscope/numeric/exp_row.h"

#include "flipscope/numeric/deterministic_math.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>

// SLEEF's header declares these only where the whole file is compiled for such a machine.
extern "C" {
__attribute__((target("avx512f"))) __m512 Sleef_cinz_expf16_u10avx512fnofma(__m512);
__attribute__((target("avx"))) __m256 Sleef_cinz_expf8_u10avx(__m256);
}
#endif

namespace flipscope::det {
namespace {

#if defined(__x86_64__) && defined(__GNUC__)

__attribute__((target("avx512f"))) std::int64_t exp_by_16(const float* x, float* out,
                                                          std::int64_t count) {
  const __m512 nan = _mm512_castsi512_ps(_mm512_set1_epi32(0x7FC00000));
  std::int64_t i = 0;
  for (; i + 16 <= count; i += 16) {
    const __m512 v = _mm512_loadu_ps(x + i);
    const __m512 y = Sleef_cinz_expf16_u10avx512fnofma(v);
    _mm512_storeu_ps(out + i, _mm512_mask_mov_ps(y, _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q), nan));
  }
  return i;
}

__attribute__((target("avx"))) std::int64_t exp_by_8(const float* x, float* out,
                                                     std::int64_t count) {
  const __m256 nan = _mm256_castsi256_ps(_mm256_set1_epi32(0x7FC00000));
  std::int64_t i = 0;
  for (; i + 8 <= count; i += 8) {
    const __m256 v = _mm256_loadu_ps(x + i);
    const __m256 y = Sleef_cinz_expf8_u10avx(v);
    _mm256_storeu_ps(out + i, _mm256_blendv_ps(y, nan, _mm256_cmp_ps(v, v, _CMP_UNORD_Q)));
  }
  return i;
}

/// As many as whole vectors hold.
std::int64_t exp_by_vectors(const float* x, float* out, std::int64_t count) {
  static const bool has_16 = __builtin_cpu_supports("avx512f");
  static const bool has_8 = __builtin_cpu_supports("avx");
  if (has_16) return exp_by_16(x, out, count);
  return has_8 ? exp_by_8(x, out, count) : 0;
}

#else

std::int64_t exp_by_vectors(const float*, float*, std::int64_t) {
  return 0;
}

#endif

}  // namespace

void exp_row(const float* x, float* out, std::int64_t count) {
  for (std::int64_t i = exp_by_vectors(x, out, count); i < count; ++i) out[i] = exp(x[i]);
}

void exp_row(const double* x, double* out, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) out[i] = exp(x[i]);
}

}  // namespace flipscope::det
