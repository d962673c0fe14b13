// QONNX's Quant of a constant whose elements have formats of their own.
#pragma once

#include "flipscope/model/onnx_operators.h"

namespace flipscope {

/// Whether bit widths differ, scales vary along several axes, or a fifth input, our own addition,
/// says which elements are signed.
bool has_element_formats(OnnxCall& call);

/// The quantized constant. `format` has what is the same for all: rounding, overflow, narrow, and
/// is_signed where there is no fifth input.
Symbol quantize_by_element(OnnxCall& call, const NumberFormat& format);

}  // namespace flipscope
