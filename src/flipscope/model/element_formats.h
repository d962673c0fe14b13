// Quantizing a constant whose elements have formats of their own, as HGQ2 trains them.
//
// The tensor's word is one grid for all: its step is the finest of any element, its width reaches
// to the highest bit of any. An element stores a part of the word (ElementBits).
#pragma once

#include <string>
#include <vector>

#include "flipscope/model/builder.h"

namespace flipscope {

/// By element, in C order.
struct ElementFormats {
  NumberFormat format;    ///< rounding, overflow and narrow; of all
  std::vector<int> bits;  ///< 0: the element is 0, and stored nowhere
  std::vector<bool> is_signed;
  std::vector<double> scale, zero_point;
  /// Axis of the constant along which alone scale and zero point vary; −1: none, or more.
  int axis = -1;
};

/// The constant rounded to its elements' formats. Scales that are powers of two times the smallest
/// lie on the grid; others may vary along one axis. Throws Error where they do not, or the grid
/// needs words of more than 32 bits.
Symbol quantize_elements(GraphBuilder& builder, const std::string& node, const Symbol& x,
                         const ElementFormats& formats);

}  // namespace flipscope
