// Variants of one network: its weights in other formats, or the smallest of them 0.
#pragma once

#include <string>

#include "flipscope/model/graph.h"

namespace flipscope {

/// What is done to the weights of an imported network, before it is lowered.
struct Variant {
  /// "GLOB=fixed:B,I", several between commas: the weights of layers that match become fixed point
  /// of B bits, I of them (the sign's among them) before the point, rounded half to even and
  /// saturated. Where several match, the last one counts.
  std::string requantize;
  /// This share of every layer's weights, those of least magnitude, becomes 0.
  double prune = 0;

  bool is_golden() const { return requantize.empty() && prune == 0; }
  bool operator==(const Variant&) const = default;
};

/// Prunes, then requantizes; biases and normalization stay as they are. Throws Error where a text
/// is malformed, a glob matches no layer, the share is not within [0, 1), or a format has no 0.
void apply(const Variant& variant, Graph& graph);

}  // namespace flipscope
