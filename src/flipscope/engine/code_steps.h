// Everything between an exact sum and the next quantizer, as one step function per channel.
//
// Scaling, normalization, clipping and quantization of one channel are monotone, in float32
// arithmetic too. So the code is a step function of the (integer) sum: its steps are found by
// bisection through the operators themselves. A single fused multiply-add with rounding takes their
// place where it has the same steps, or misses some by one code and is corrected by a table of
// them.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "flipscope/engine/program.h"
#include "flipscope/ops/packed_kernels.h"

namespace flipscope {

/// Nodes that turn sums into codes: `rescale` (one, or one per channel), then `nodes`, the last a
/// Quantize; each treats the channels of [1,C,…] apart and is monotone.
struct CodeChain {
  std::vector<double> rescale;
  std::vector<int> nodes;
  std::int64_t channels = 0;
};

/// True where `node`, reading the value `from`, may be a part of a chain.
bool may_join_chain(const Graph& graph, const Node& node, int from);

struct CodeSteps {
  std::vector<CodeStep> steps;                  ///< [channel]
  std::vector<std::vector<std::int32_t>> last;  ///< [channel] tables that steps point into
};

/// The chain's step for each channel and all sums within ±bound < 2^31; a code is what the chain
/// gives, plus `zero`, and lies within 0 … codes − 1. Nothing where some channel has no such form.
std::optional<CodeSteps> fit_code_steps(const Program& program, const CodeChain& chain,
                                        std::int64_t bound, int zero, int codes);

}  // namespace flipscope
