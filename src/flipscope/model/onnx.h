// From an ONNX file to a Graph: the whole conversion, and the options that tests need.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "flipscope/model/builder.h"
#include "flipscope/model/graph.h"
#include "flipscope/model/onnx_file.h"

namespace flipscope {

struct OnnxOptions {
  /// The first dimension of every input is the batch and becomes 1. False: shapes stay as they are,
  /// and the whole input is one sample.
  bool first_axis_is_batch = true;
  /// Inputs of the graph that are constants instead.
  std::map<std::string, Tensor> constants;
};

/// A converted model before GraphBuilder::finish(): its outputs may be constants.
struct OnnxConversion {
  GraphBuilder builder;
  std::vector<Symbol> outputs;
  std::vector<std::string> output_names;
};

/// Converts every node. Throws Error("[onnx] FILE: node "NAME" (OpType): …").
OnnxConversion convert_onnx(const OnnxModel& model, const OnnxOptions& options);

Graph import_onnx(const std::string& file, const OnnxOptions& options);

}  // namespace flipscope
