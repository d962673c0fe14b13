// The grids of QKeras's quantizers, and the checks that weights and activations share.
#pragma once

#include <optional>
#include <string>

#include "flipscope/model/keras_quantizer.h"

namespace flipscope {

/// Throws Error("[keras] FILE: layer "L": quantizer NAME …").
[[noreturn]] void refuse(const KerasQuantizer& quantizer, const std::string& why);

/// The arguments `bits` (least to 24: beyond, codes are not exact in float32), `integer` and
/// `alpha` (as float32). Throw Error where they have no meaning.
int checked_bits(const KerasQuantizer& quantizer, int least);
int checked_integer(const KerasQuantizer& quantizer);
double checked_alpha(const KerasQuantizer& quantizer);

/// Throws Error unless everything is quantized (qnoise_factor 1).
void check_noise(const KerasQuantizer& quantizer);

/// A format and the number that its code 1 stands for.
struct Grid {
  NumberFormat format;
  double step = 1;
};

/// The grid of quantized_bits.
Grid fixed_grid(const KerasQuantizer& quantizer);

/// How quantized_relu clips and which grid its result lies on.
struct ReluGrid {
  Grid grid;
  double lowest = 0;                ///< of the result
  std::optional<double> highest{};  ///< where relu_upper_bound cuts below the grid's end
  double slope = 0;
};
ReluGrid relu_grid(const KerasQuantizer& quantizer);

}  // namespace flipscope
