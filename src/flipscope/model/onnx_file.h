// An ONNX file as plain values: what the protobuf schema says, checked and without protobuf.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "flipscope/numeric/error.h"
#include "flipscope/numeric/tensor.h"

namespace flipscope {

/// One attribute of a node. `kind` says which field holds its value.
struct OnnxAttribute {
  enum class Kind { number, integer, text, tensor, numbers, integers, texts, other };
  std::string name;
  Kind kind = Kind::other;  ///< other: a subgraph, a sparse tensor or a type
  double number = 0;
  std::int64_t integer = 0;
  std::string text;
  Tensor tensor;
  std::vector<double> numbers;
  std::vector<std::int64_t> integers;
  std::vector<std::string> texts;
};

struct OnnxNode {
  std::string name;  ///< the node's, or its first output's where it has none
  std::string op_type;
  std::string domain;                        ///< "" for the standard operators
  std::vector<std::string> inputs, outputs;  ///< "" where an optional one is left out
  std::vector<OnnxAttribute> attributes;
};

struct OnnxInitializer {
  std::string name;
  Tensor tensor;
};

/// An input or output of the graph. A symbolic dimension is −1 in `shape` and has its name in
/// `symbols`.
struct OnnxValue {
  std::string name;
  ElementType type = ElementType::float32;
  bool has_shape = false;
  Shape shape;
  std::vector<std::string> symbols;
};

struct OnnxModel {
  std::string file;                            ///< as the user named it
  std::string name;                            ///< the graph's
  std::map<std::string, std::int64_t> opsets;  ///< by domain
  std::vector<OnnxNode> nodes;
  std::vector<OnnxInitializer> initializers;
  std::vector<OnnxValue> inputs;  ///< without those that have an initializer
  std::vector<OnnxValue> outputs;
};

/// Reads an ONNX model file, with external data beside it. Throws Error("[onnx] FILE: …") where the
/// file cannot be read, is not an ONNX model, or contradicts itself.
OnnxModel read_onnx(const std::string& file);

/// The files of external data that an ONNX model's tensors name, each once, in order. Throws Error
/// as read_onnx() does.
std::vector<std::string> external_data_files(const std::string& file);

/// Reads a single tensor as the ONNX test data hold them (a TensorProto). Throws Error.
Tensor read_onnx_tensor(const std::string& file);

/// `text` with control characters replaced and its length bounded, fit for a one-line message.
std::string one_line(const std::string& text);

/// The message of an Error without its leading "[part] ".
std::string without_part(const Error& error);

}  // namespace flipscope
