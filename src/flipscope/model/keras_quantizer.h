// QKeras quantizers: what they do to weights, to the bit, and to activations, as operators.
//
// A weight quantizer becomes codes and an Encoding; scales that QKeras computes ("auto",
// "auto_po2", least squares) are computed as it does, in float32. Saturating rounding, not the
// straight-through sum x + (q(x) − x), is the meaning: where that sum is inexact, QKeras itself is
// off the quantizer's grid by a rounding error. Codes and all scales are QKeras's to the bit, but
// for the float scale of binary and ternary with alpha = "auto": it is a mean, and TensorFlow's
// order of summation is its own (up to 3 units in the last place were seen).
#pragma once

#include <map>
#include <optional>
#include <string>

#include "flipscope/model/builder.h"
#include "flipscope/model/keras_config.h"

namespace flipscope {

/// A quantizer's class and the arguments that are not None.
struct KerasQuantizer {
  struct Argument {
    double number = 0;
    std::string text;
    bool is_text = false;
  };
  std::string name;
  std::map<std::string, Argument> arguments;
  std::string where;  ///< for messages: FILE: layer "L"

  double number(const std::string& argument, double otherwise) const;
  bool flag(const std::string& argument, bool otherwise) const {
    return number(argument, otherwise) != 0;
  }
  /// "", "auto" or "auto_po2".
  std::string automatic_scale() const;
};

/// From a serialized object ({"class_name", "config"}) or a text ("quantized_bits(4, 0, alpha=1)").
/// Nothing where the configuration is null or does not name a quantizer of QKeras (an ordinary
/// activation function). Throws Error for an argument that the quantizer does not have.
std::optional<KerasQuantizer> parse_keras_quantizer(const Config& config);

/// A tensor on the grid of its encoding.
struct QuantizedTensor {
  Tensor values;
  Encoding encoding;
};

/// What QKeras makes of a stored float32 tensor. `kernel` is true for the quantizers for which
/// QKeras turns alpha = None into "auto_po2" (kernels, gamma, variance). Throws Error for
/// quantizers that have no exact meaning here.
QuantizedTensor quantize_weights(const KerasQuantizer& quantizer, const Tensor& tensor,
                                 bool kernel);

/// The quantizer as operators on a runtime value. Throws Error as quantize_weights.
Symbol quantize_activation(GraphBuilder& builder, const std::string& node, const Symbol& x,
                           const KerasQuantizer& quantizer);

}  // namespace flipscope
