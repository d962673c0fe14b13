// Models in the format of Keras 3: a zip archive of a configuration and a weights file.
#pragma once

#include <string>

#include "flipscope/model/hdf5_file.h"

namespace flipscope {

struct KerasArchive {
  std::string config;    ///< JSON
  Hdf5Contents weights;  ///< with the version of Keras as the text "@keras_version"
};

/// Throws Error naming the file where it is no such archive, or holds broken weights.
KerasArchive read_keras_archive(const std::string& file);

}  // namespace flipscope
