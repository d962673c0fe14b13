// Lowering: quantized layers become exact sums of codes, and the exactness is proved.
#pragma once

#include <string>
#include <vector>

#include "flipscope/model/graph.h"

namespace flipscope {

/// Rewrites in place. Dequantize nodes sink through operators that commute with them (Rearrange,
/// max pooling, relu) until they meet a weighted layer; where the layer's weights are codes too, it
/// then sums codes: its constants read codes, a bias on the sum's grid joins the sum, and
/// Accumulation::rescale brings the sum back to real numbers. Then choose_carriers().
void lower(Graph& graph);

/// What a campaign may do to one sum, for the proof of exactness.
struct FaultLoad {
  int words = 1;        ///< stored weights of one sum struck at once
  bool biases = false;  ///< biases are struck too
};

/// The outcome of the proof for one weighted layer: |sum| ≤ bound for every input that the
/// activation's format allows, under every fault of the load.
struct ExactnessProof {
  int node = -1;
  bool sums_codes = false;
  /// Of all terms that raise a sum, or all that lower it, with the words that the load can make add
  /// most, and of the change of one word times x; 0 for float layers.
  double bound = 0;
  bool exact = false;
  Carrier carrier = Carrier::float32;
  std::string reason;  ///< why it is not exact
};

/// Proves what can be proved, layer by layer, in node order.
std::vector<ExactnessProof> prove_exactness(const Graph& graph, const FaultLoad& load = {});

/// Sets every layer's carrier to the narrowest that its proof allows.
void choose_carriers(Graph& graph, const FaultLoad& load = {});

}  // namespace flipscope
