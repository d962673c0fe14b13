#include "flipscope/model/graph.h"

#include <algorithm>

#include "flipscope/numeric/error.h"

namespace flipscope {

const char* to_string(Part part) {
  switch (part) {
    case Part::weights:
      return "weights";
    case Part::biases:
      return "biases";
    case Part::normalization:
      return "normalization";
    case Part::activations:
      return "activations";
    case Part::operands:
      return "operands";
    case Part::inputs:
      return "inputs";
    case Part::none:
      break;
  }
  return "none";
}

bool is_stored(Part part) {
  return part == Part::weights || part == Part::biases || part == Part::normalization;
}

double real_value(const StoredTensor& stored, std::int64_t i, Word word) {
  const Encoding& encoding = stored.encoding;
  const std::size_t channel = encoding.channel(i, stored.shape);
  return (decode(encoding.format, word) - encoding.zero_point_of(channel)) *
         encoding.scale_of(channel);
}

double read_element(const Graph& graph, const Constant& constant, std::int64_t i, Word word) {
  const StoredTensor& stored = graph.stored[constant.stored];
  const std::int64_t at = constant.source.empty() ? i : constant.source[i];
  if (at < 0) return constant.filled[i];
  const std::size_t channel = stored.encoding.channel(at, stored.shape);
  const double scale = constant.scale[constant.scale.size() == 1 ? 0 : channel];
  return (decode(stored.encoding.format, word) - stored.encoding.zero_point_of(channel)) * scale;
}

std::vector<double> read_constant(const Graph& graph, const Constant& constant) {
  const StoredTensor& stored = graph.stored[constant.stored];
  std::vector<double> elements(element_count(constant.shape));
  for (std::int64_t i = 0; i < std::ssize(elements); ++i) {
    const std::int64_t at = constant.source.empty() ? i : constant.source[i];
    elements[i] = read_element(graph, constant, i, at < 0 ? 0 : stored.words[at]);
  }
  return elements;
}

bool is_weighted(const Node& node) {
  const bool affine = std::holds_alternative<Convolution>(node.op) ||
                      std::holds_alternative<TransposedConvolution>(node.op) ||
                      std::holds_alternative<MatrixProduct>(node.op);
  return affine && (node.inputs[0].kind == Input::Kind::constant ||
                    node.inputs[1].kind == Input::Kind::constant);
}

void check(const Graph& graph) {
  std::vector<bool> made(graph.values.size(), false);
  for (int input : graph.inputs) made.at(input) = true;
  for (const Node& node : graph.nodes) {
    std::vector<Shape> shapes;
    for (const Input& input : node.inputs) {
      shapes.push_back(input.shape);
      if (input.kind == Input::Kind::none) continue;
      const bool is_value = input.kind == Input::Kind::value;
      const Shape& own =
          is_value ? graph.values.at(input.id).shape : graph.constants.at(input.id).shape;
      if (element_count(own) != element_count(input.shape)) {
        fail("graph", "node \"{}\" reads {} elements as {}", node.name, element_count(own),
             to_string(input.shape));
      }
      if (is_value && !made[input.id]) {
        fail("graph", "node \"{}\" reads \"{}\" before it is made", node.name,
             graph.values[input.id].name);
      }
    }
    const Shape shape = output_shape(node.op, shapes);
    if (shape != graph.values.at(node.output).shape) {
      fail("graph", "node \"{}\" makes {}, its value says {}", node.name, to_string(shape),
           to_string(graph.values[node.output].shape));
    }
    made[node.output] = true;
  }
  for (int output : graph.outputs) {
    if (!made.at(output)) fail("graph", "output \"{}\" is never made", graph.values[output].name);
  }
}

}  // namespace flipscope
