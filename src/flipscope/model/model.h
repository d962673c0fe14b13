// Loads a network from the files that people have, ready to run.
#pragma once

#include <string>

#include "flipscope/model/graph.h"
#include "flipscope/model/variant.h"

namespace flipscope {

/// `model.onnx` (float, QONNX, QDQ), `model.h5`, `.hdf5` or `.keras` (Keras, QKeras),
/// `config.json:weights.hdf5`, or `A+B`: A's output feeds B. The graph comes lowered, as the
/// variant of it that is asked for. Throws Error naming the file and node.
Graph load_model(const std::string& path, const Variant& variant);

/// Hex digest of the bytes of every file that `path` names, external data included.
std::string model_identity(const std::string& path);

/// Importers: the graph as the file has it, before lower().
Graph import_onnx(const std::string& file);
Graph import_keras(const std::string& file);

/// The first graph's output feeds the second's input; layers are prefixed with the graphs' names,
/// NAME1 and NAME2 where both are called NAME.
Graph join(Graph first, const Graph& second);

}  // namespace flipscope
