// Which dataset of a Keras weights file belongs to which layer.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "flipscope/model/hdf5_file.h"
#include "flipscope/model/keras_config.h"
#include "flipscope/numeric/tensor.h"

namespace flipscope {

/// The `layers` of a Functional or Sequential model (old Sequential files hold the bare list).
Config layers_of(const Config& model);

bool is_model(const std::string& class_name);

/// A layer's name: of the entry, or of its configuration.
std::string name_of(const Config& layer);

/// Class names of QKeras ("QDense") and FKeras ("FQDense") without their prefix; others as they
/// are.
std::string plain_class(const std::string& class_name);

class KerasWeights {
 public:
  /// `model` is the outermost model's entry; `contents` is the whole file.
  KerasWeights(const Config& model, Hdf5Contents contents, std::string file);

  /// A layer's weight, as stored. `layer` is its path ("encoder/conv2d"). Throws Error where it is
  /// not in the file, or has another shape.
  const Tensor& get(const std::string& layer, const std::string& weight, const Shape& shape) const;

 private:
  struct Slot {
    std::string path, layer, weight;
    bool trainable;
  };
  void collect(const Config& layer, const std::string& path, int depth,
               std::vector<Slot>& slots) const;
  void assign(const std::vector<Slot>& slots, const std::string& group);
  void assign_by_class(const Config& model, const std::string& path, const std::string& group,
                       int depth);
  std::vector<std::string> texts(const std::string& path, const std::string& name) const;

  Hdf5Contents contents_;
  std::string file_;
  std::string root_;
  std::map<std::string, std::string> dataset_of_;  ///< "encoder/conv2d/kernel" → HDF5 path
};

}  // namespace flipscope
