// The samples that a network is run on: inputs as it takes them, labels, targets.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "flipscope/model/graph.h"
#include "flipscope/numeric/tensor.h"

namespace flipscope {

struct SampleOptions {
  std::string inputs{};
  std::string labels{};   ///< "": none, or those that a CIFAR binary file brings along
  std::string targets{};  ///< "": none; "inputs": the inputs as the network takes them; or a file
  double scale = 1;
  std::vector<double> mean{};      ///< empty: 0; one, or one per channel
  std::vector<double> std{};       ///< empty: 1; one, or one per channel
  std::optional<Layout> layout{};  ///< how the file lies; default: as the model does
  std::int64_t first = -1;         ///< how many samples to take; −1: all
  std::int64_t skip = 0;           ///< how many to leave out at the beginning
};

struct Samples {
  std::int64_t count = 0;
  Shape shape;                       ///< one sample: the model's input without its leading 1
  std::vector<float> values;         ///< [sample][value], C order of the model's input
  std::vector<std::int32_t> labels;  ///< [sample]; empty: none
  std::string labels_file;           ///< that they come from
  std::vector<float> targets;        ///< [sample][output value]; empty: none
  std::int64_t target_size = 0;      ///< output values per sample; 0: no targets
  std::string identity;              ///< digest of the bytes read and of the options
};

/// Reads, slices and normalizes: (x·scale − mean)/std in double, rounded once to float32. Files are
/// those of open_array_file(), samples along the first axis.
///
/// A sample's shape may differ from the model's where the number of values agrees: the file's C
/// order is then the model's (after the change of layout where `layout` names the other one).
/// Labels are integers, or rows whose one largest entry names the class. Targets are taken from
/// their file as they are, without scale or layout.
///
/// `model_input` is the shape of the model's input with its leading batch of 1. Throws Error naming
/// the file, what it holds and what would be right.
Samples load_samples(const SampleOptions& options, const Shape& model_input, Layout model_layout);

/// Throws Error unless every label is in 0 … classes − 1.
void check_labels(const Samples& samples, std::int64_t classes);

}  // namespace flipscope
