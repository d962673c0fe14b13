// Where NaN goes the same way in every sample.
#pragma once

#include "flipscope/model/graph.h"

namespace flipscope {

/// True where a NaN in an element of this value makes the same elements of the outputs NaN,
/// whatever the numbers beside it are: each operator behind it gives NaN where it reads NaN.
bool spreads_nan(const Graph& graph, int value);

}  // namespace flipscope
