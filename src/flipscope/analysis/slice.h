// Slices: a network cut at every layer, so that a fault is run through its own layer alone
// (SliceFI).
//
// A slice begins at a weighted layer and goes up to the next one, in the order of the graph's
// nodes; what normalizes, activates and quantizes the layer's sums belongs to it. It reads whatever
// its nodes read and none of them makes: a residual block's sum has two inputs. Its outputs are
// what later slices read, so a fault's effect on the rest of the network is its effect on them.
#pragma once

#include <string>
#include <vector>

#include "flipscope/fault/fault_space.h"
#include "flipscope/model/graph.h"

namespace flipscope {

struct Slice {
  std::string layer;          ///< of its first weighted node
  int first = 0, last = 0;    ///< nodes first … last − 1
  std::vector<int> inputs;    ///< values, ascending
  std::vector<int> outputs;   ///< values, in the order in which they are made
  std::int64_t elements = 0;  ///< of all outputs, which are laid end to end
};

/// Where a slice ends.
enum class SliceEnd {
  layer,  ///< before the next weighted layer
  sums,   ///< at its layer's own sums: golden + Δw·x, which no inference is needed for
};

/// Throws Error that lists the ends where the text is none of them.
SliceEnd parse_slice_end(const std::string& text);

struct Slicing {
  std::vector<Slice> slices;
  std::vector<int> slice_of;  ///< [target of the fault space]
};

/// Slices up to the value `output`. Where faults of one target can enter the network at several
/// layers (a shared tensor, an input), these and all between them are one slice. Throws Error where
/// a target's faults have no effect on sums alone, with SliceEnd::sums.
Slicing slice_network(const Graph& graph, const FaultSpace& space, int output, SliceEnd end);

}  // namespace flipscope
