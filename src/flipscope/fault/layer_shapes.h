// Fault spaces of networks of which only the shapes are known.
#pragma once

#include <string>
#include <vector>

#include "flipscope/fault/fault_space.h"

namespace flipscope {

struct NamedSpace {
  std::string name;
  FaultSpace space;
};

/// A JSON file that maps each network's name to a list of its layers, each an object with `name`
/// and, for the parts that are asked for, `weights` or `ifmap` (elements of the input feature map:
/// --in activations); other members are passed over. Words are float32. Throws Error naming the
/// file where it is none of that, or where a part is neither weights nor activations.
std::vector<NamedSpace> read_layer_shapes(const std::string& file,
                                          const FaultSpaceOptions& options);

}  // namespace flipscope
