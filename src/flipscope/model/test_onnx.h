// Small ONNX models, for tests.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "flipscope/model/onnx.h"
#include "flipscope/model/test_run_graph.h"
#include "flipscope/numeric/test_error.h"

namespace flipscope::onnx_test {

inline OnnxAttribute integer(const std::string& name, std::int64_t value) {
  OnnxAttribute attribute;
  attribute.name = name;
  attribute.kind = OnnxAttribute::Kind::integer;
  attribute.integer = value;
  return attribute;
}

inline OnnxAttribute integers(const std::string& name, std::vector<std::int64_t> values) {
  OnnxAttribute attribute;
  attribute.name = name;
  attribute.kind = OnnxAttribute::Kind::integers;
  attribute.integers = std::move(values);
  return attribute;
}

inline OnnxNode node(const std::string& op, std::vector<std::string> inputs,
                     const std::string& output, std::vector<OnnxAttribute> attributes = {},
                     const std::string& domain = "") {
  return {output, op, domain, std::move(inputs), {output}, std::move(attributes)};
}

inline OnnxInitializer initializer(const std::string& name, ElementType type, Shape shape,
                                   std::vector<double> data) {
  return {name, {type, std::move(shape), std::move(data)}};
}

inline OnnxModel model_of(Shape input, std::vector<OnnxInitializer> initializers,
                          std::vector<OnnxNode> nodes) {
  OnnxModel model;
  model.file = "made.onnx";
  model.opsets[""] = 13;
  model.inputs.push_back({"x", ElementType::float32, true, std::move(input), {}});
  model.inputs[0].symbols.resize(model.inputs[0].shape.size(), "size");
  model.outputs.push_back({"y", ElementType::float32, false, {}, {}});
  model.initializers = std::move(initializers);
  model.nodes = std::move(nodes);
  return model;
}

inline Graph convert(const OnnxModel& model, const OnnxOptions& options = {}) {
  OnnxConversion converted = convert_onnx(model, options);
  return converted.builder.finish("made", converted.outputs, converted.output_names);
}

inline std::string error_of(const OnnxModel& model) {
  return message_of([&] { convert(model); });
}

inline const StoredTensor* stored(const Graph& graph, const std::string& name) {
  for (const StoredTensor& tensor : graph.stored) {
    if (tensor.name == name) return &tensor;
  }
  return nullptr;
}

inline std::vector<float> run_one(const Graph& graph, std::vector<float> x) {
  return run_graph(graph, {std::move(x)}).at(0);
}

inline constexpr ElementType kFloat = ElementType::float32;
inline constexpr ElementType kInt8 = ElementType::int8;
inline constexpr ElementType kUint8 = ElementType::uint8;

}  // namespace flipscope::onnx_test
