// A first axis of a fixed size N > 1: whether it is a batch of samples that know nothing of each
// other.
#pragma once

#include <cstdint>

#include "flipscope/model/onnx.h"

namespace flipscope {

/// The largest first axis of the inputs; 1 where none is fixed at more.
std::int64_t fixed_batch(const OnnxModel& model, const OnnxOptions& options);

/// Runs the model as it stands on as many drawn samples as its fixed batch holds, and `single`, its
/// import with a batch of 1, on each of them. Throws Error where they differ. Models whose values
/// are more than 10^8 numbers, or that cannot be imported as they stand, are not tried.
void check_batch(const OnnxModel& model, const OnnxOptions& options, const Graph& single);

}  // namespace flipscope
