// Fault lists: files that name bits, one a line.
//
// Two spellings, told apart by the header. The one that several groups share (as in
// cad-polito-it/dnn-benchmarks): Injection,Layer,TensorIndex,Bit[,…], where TensorIndex is a quoted
// tuple in the framework's order, and a column `tensor` may follow. Ours: any order of
// layer,tensor,index,bit[,…] with index the flat C-order element. In both bit 0 is the least
// significant, and other columns are passed over.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "flipscope/fault/fault_space.h"

namespace flipscope {

struct FaultListEntry {
  std::size_t line = 0;  ///< in the file, from 1
  FaultSite site;
};

/// The sites of a fault list, in its order, as sites of `space` (which should be whole_space()).
/// A layer may also be given as `layer.weight`, `layer.bias`, or by its tensor's name; a bare layer
/// means its target among `parts`, its weights where there are several. Throws Error with file:line
/// where a layer is unknown or ambiguous, an index or bit is out of range, or a field is missing.
std::vector<FaultListEntry> read_fault_list(const std::string& file, const FaultSpace& space,
                                            const std::vector<Part>& parts);

/// For each target of `whole` the one of `space` that is the same tensor, −1: none.
std::vector<int> targets_within(const FaultSpace& space, const FaultSpace& whole);

/// Whether some of them are of one layer, so that a list of their bits needs a column `tensor`.
bool share_layers(const std::vector<FaultTarget>& targets);

/// "(3, 0, 2, 1)", as the shared format writes the element `index` of a tensor of `shape`.
std::string tensor_index(const Shape& shape, std::int64_t index);

}  // namespace flipscope
