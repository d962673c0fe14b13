// A bottleneck: one narrow value of codes through which all that comes before it reaches the
// output.
//
// Many faults give a sample the same codes there, often the golden ones. What follows is a function
// of the codes alone, so it need be run only once for each that occurs.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "flipscope/engine/program.h"
#include "flipscope/fault/fault_space.h"

namespace flipscope {

struct Bottleneck {
  int value = -1;         ///< index of Graph::values
  std::vector<int> tail;  ///< the nodes from it to the output, in order
};

/// What makes a value worth stopping at.
struct BottleneckLimits {
  std::int64_t widest = 64;  ///< elements
  /// Multiply-adds after it: about what it takes to look a sample's codes up.
  double least_work = 4096;
};

/// The narrowest value that holds codes and that every path from the input to the (only) output
/// meets; of equal ones the first. Nothing where none is within the limits.
std::optional<Bottleneck> find_bottleneck(const Graph& graph, const BottleneckLimits& limits = {});

/// True where all effects of a fault in `target` pass the bottleneck.
bool is_upstream(const Graph& graph, const Bottleneck& bottleneck, const FaultTarget& target);

/// Runs the golden network from the bottleneck on; the scratch memory of one thread.
class Tail {
 public:
  /// Both must outlive it.
  Tail(const Program& program, const Bottleneck& bottleneck);

  /// The network's output [element][lane] for codes [element][lane]. Valid until the next call.
  const float* operator()(const float* codes, int lanes);

 private:
  const Program* program_;
  const Bottleneck* bottleneck_;
  std::vector<AlignedVector<float>> values_;  ///< [value] those that the tail makes
  std::vector<const float*> at_;              ///< [value]
};

}  // namespace flipscope
