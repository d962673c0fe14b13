// The Keras importer behind import_keras(), with its files already read.
#pragma once

#include <string>

#include "flipscope/model/graph.h"
#include "flipscope/model/hdf5_file.h"

namespace flipscope {

/// The graph of a model configuration (JSON of Keras 2 or 3) and the contents of its weights file.
/// `config_file` and `weights_file` are for messages. Throws Error("[keras] FILE: …").
Graph import_keras(const std::string& config, const std::string& config_file, Hdf5Contents contents,
                   const std::string& weights_file);

}  // namespace flipscope
