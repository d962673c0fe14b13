#include "flipscope/model/keras_quantizer_grid.h"

#include <cmath>

#include "flipscope/numeric/error.h"

namespace flipscope {
namespace {

constexpr int kMostBits = 24;

}  // namespace

[[noreturn]] void refuse(const KerasQuantizer& quantizer, const std::string& why) {
  fail("keras", "{}: quantizer {} {}", quantizer.where, quantizer.name, why);
}
int checked_bits(const KerasQuantizer& quantizer, int least) {
  const double bits = quantizer.number("bits", 8);
  if (std::trunc(bits) != bits || bits < least || bits > kMostBits) {
    refuse(quantizer, fmt::format("has {} bits; supported: {} to {}", bits, least, kMostBits));
  }
  return static_cast<int>(bits);
}

int checked_integer(const KerasQuantizer& quantizer) {
  const double integer = quantizer.number("integer", 0);
  if (std::trunc(integer) != integer || std::fabs(integer) > 31) {
    refuse(quantizer, fmt::format("has {} integer bits; supported: -31 to 31", integer));
  }
  return static_cast<int>(integer);
}

Grid fixed_grid(const KerasQuantizer& quantizer) {
  const bool keep_negative = quantizer.flag("keep_negative", true);
  const int bits = checked_bits(quantizer, 1);
  const int integer = checked_integer(quantizer);
  if (keep_negative && bits == 1) return {bipolar_format(), 1};
  const bool symmetric = quantizer.flag("symmetric", false) && keep_negative;
  return {integer_format(bits, keep_negative, symmetric),
          std::ldexp(1.0, integer - (bits - keep_negative))};
}
double checked_alpha(const KerasQuantizer& quantizer) {
  const double alpha = static_cast<float>(quantizer.number("alpha", 1));
  if (!(alpha > 0) || !std::isfinite(alpha)) {
    refuse(quantizer, fmt::format("has alpha {}; it must be above 0", alpha));
  }
  return alpha;
}
void check_noise(const KerasQuantizer& quantizer) {
  const double noise = quantizer.number("qnoise_factor", 1);
  if (noise != 1) {
    refuse(quantizer,
           fmt::format("has qnoise_factor {}; only 1 (fully quantized) is supported", noise));
  }
}
ReluGrid relu_grid(const KerasQuantizer& quantizer) {
  ReluGrid relu;
  relu.slope = quantizer.number("negative_slope", 0);
  const bool is_signed = relu.slope != 0;
  const int bits = checked_bits(quantizer, 1 + is_signed);
  const int integer = checked_integer(quantizer);
  relu.grid = {integer_format(bits, is_signed), std::ldexp(1.0, integer - (bits - is_signed))};
  if (is_signed) {
    int exponent = 0;
    const bool exact = std::frexp(relu.slope, &exponent) == 0.5;
    relu.lowest = -relu.slope * std::ldexp(1.0, integer);
    if (!exact || relu.slope > 1 || relu.lowest > -relu.grid.step) {
      refuse(quantizer,
             fmt::format("has negative_slope {}; supported: powers of two from 2^{} to 1",
                         relu.slope, 1 - bits));
    }
  }
  if (!quantizer.flag("is_quantized_clip", true) && quantizer.flag("relu_upper_bound", false)) {
    const double bound = static_cast<float>(quantizer.number("relu_upper_bound", 0));
    if (bound < highest(relu.grid.format) * relu.grid.step) {
      if (bound < 0 || std::fmod(bound, relu.grid.step) != 0) {
        refuse(quantizer, fmt::format("has relu_upper_bound {}, which is not on its grid of {}",
                                      bound, relu.grid.step));
      }
      relu.highest = bound;
    }
  }
  return relu;
}

}  // namespace flipscope
