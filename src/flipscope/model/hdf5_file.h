// What a Keras HDF5 file holds: text attributes and float tensors, read in one go.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "flipscope/numeric/tensor.h"

namespace flipscope {

/// Everything under one group of an HDF5 file; paths are relative to it and have no leading slash.
struct Hdf5Contents {
  /// By "path@name" ("@layer_names", "dense@weight_names"): the strings of a text attribute, in
  /// order. Attributes that are not text are left out.
  std::map<std::string, std::vector<std::string>> texts;
  /// By path: every dataset of numbers. Others are left out.
  std::map<std::string, Tensor> datasets;
};

/// All of the file but its `optimizer_weights`. Throws Error("[keras] FILE: …") where the file
/// cannot be opened or is broken. The HDF5 library reads in a child process with limited time and
/// memory, because it does not survive every broken file.
Hdf5Contents read_hdf5(const std::string& file);

/// The same; messages call the file `name`.
Hdf5Contents read_hdf5(const std::string& file, const std::string& name);

}  // namespace flipscope
