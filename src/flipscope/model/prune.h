// Tidying of a graph: what no output needs goes, and stored things get their parts and layers.
#pragma once

#include "flipscope/model/graph.h"

namespace flipscope {

/// Removes nodes, values, constants and stored tensors that no output depends on, and renumbers the
/// rest in the order of their first use. Inputs of the model stay.
void remove_unused(Graph& graph);

/// Says of every named stored tensor which part it belongs to and which layer it forms, from the
/// node that reads it first; and names each node's layer after its weights, or after the node.
void assign_parts(Graph& graph);

}  // namespace flipscope
