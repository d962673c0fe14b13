#include "flipscope/model/model.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>
#include <vector>

#include "flipscope/model/lower.h"
#include "flipscope/model/onnx_file.h"
#include "flipscope/model/prune.h"
#include "flipscope/numeric/error.h"
#include "flipscope/numeric/hash.h"

namespace flipscope {
namespace {

constexpr std::string_view kConfig = ".json:";
constexpr std::string_view kOnnx = ".onnx";
constexpr std::array<std::string_view, 3> kKeras = {".h5", ".hdf5", ".keras"};

bool is_keras(std::string_view file) {
  return std::ranges::any_of(kKeras, [file](auto ending) { return file.ends_with(ending); });
}

/// The models that a path joins: a '+' stands between two where a model's file ends before it.
std::vector<std::string> models_of(const std::string& path) {
  std::vector<std::string> models;
  std::size_t from = 0;
  for (std::size_t at = 0; (at = path.find('+', at)) != std::string::npos; ++at) {
    const auto before = std::string_view(path).substr(from, at - from);
    if (!before.ends_with(kOnnx) && !is_keras(before)) continue;
    models.emplace_back(before);
    from = at + 1;
  }
  models.push_back(path.substr(from));
  return models;
}

/// All files that one of these models is read from.
std::vector<std::string> files_of(const std::string& model) {
  const std::size_t config = model.rfind(kConfig);
  if (config != std::string::npos) {
    const std::size_t colon = config + kConfig.size() - 1;
    return {model.substr(0, colon), model.substr(colon + 1)};
  }
  std::vector<std::string> files = {model};
  if (model.ends_with(kOnnx)) {
    for (std::string& file : external_data_files(model)) files.push_back(std::move(file));
  }
  return files;
}

Graph import_one(const std::string& file) {
  if (file.ends_with(kOnnx)) return import_onnx(file);
  if (is_keras(file) || file.find(kConfig) != std::string::npos) return import_keras(file);
  fail("model",
       "{}: unknown kind of file; expected model.onnx, model.h5, model.keras or "
       "config.json:weights.hdf5",
       file);
}

void require_one_end(const std::string& path, const Graph& graph, const char* what,
                     const std::vector<int>& ends) {
  if (ends.size() == 1) return;
  std::string names;
  for (const int end : ends) names += (names.empty() ? "" : ", ") + graph.values[end].name;
  fail("model", "{}: the network has {} {}s ({}); one is supported: export it with one {}", path,
       ends.size(), what, names, what);
}

}  // namespace

Graph load_model(const std::string& path, const Variant& variant) {
  const std::vector<std::string> parts = models_of(path);
  Graph graph = import_one(parts[0]);
  for (std::size_t i = 1; i < parts.size(); ++i)
    graph = join(std::move(graph), import_one(parts[i]));
  require_one_end(path, graph, "input", graph.inputs);
  require_one_end(path, graph, "output", graph.outputs);
  if (!variant.is_golden()) apply(variant, graph);
  lower(graph);
  return graph;
}

std::string model_identity(const std::string& path) {
  Hasher hasher;
  for (const std::string& model : models_of(path)) {
    for (const std::string& file : files_of(model)) {
      hasher.update(to_string(digest_of_file(file)));
    }
  }
  return to_string(hasher.digest());
}

Graph join(Graph first, const Graph& second) {
  if (first.outputs.size() != 1 || second.inputs.size() != 1) {
    fail("model", "joining needs one output of {} and one input of {}, got {} and {}", first.name,
         second.name, first.outputs.size(), second.inputs.size());
  }
  const Shape& from = first.values[first.outputs[0]].shape;
  const Shape& to = second.values[second.inputs[0]].shape;
  if (element_count(from) != element_count(to)) {
    fail("model", "output {} of {} does not fit input {} of {}", to_string(from), first.name,
         to_string(to), second.name);
  }
  // Layers of both keep apart under the names of their models, as a nested model's would.
  const auto prefix = [](Graph& graph) {
    for (StoredTensor& tensor : graph.stored) {
      if (!tensor.name.empty()) tensor.name = graph.name + "/" + tensor.name;
      if (!tensor.layer.empty()) tensor.layer = graph.name + "/" + tensor.layer;
    }
    for (Node& node : graph.nodes) {
      node.name = graph.name + "/" + node.name;
      node.layer = graph.name + "/" + node.layer;
    }
  };
  Graph next = second;
  if (first.name == next.name) {
    first.name += "1";
    next.name += "2";
  }
  prefix(first);
  prefix(next);

  const int values = static_cast<int>(first.values.size());
  const int constants = static_cast<int>(first.constants.size());
  const int stored = static_cast<int>(first.stored.size());
  const int joint = first.outputs[0];
  const auto renumber = [&](int value) { return value == next.inputs[0] ? joint : value + values; };
  for (StoredTensor& tensor : next.stored) first.stored.push_back(std::move(tensor));
  for (Constant& constant : next.constants) {
    constant.stored += stored;
    first.constants.push_back(std::move(constant));
  }
  for (Value& value : next.values) first.values.push_back(std::move(value));
  for (Node& node : next.nodes) {
    for (Input& input : node.inputs) {
      if (input.kind == Input::Kind::value) input.id = renumber(input.id);
      if (input.kind == Input::Kind::constant) input.id += constants;
    }
    node.output = renumber(node.output);
    first.nodes.push_back(std::move(node));
  }
  first.outputs.clear();
  for (int output : next.outputs) first.outputs.push_back(renumber(output));
  first.name += "+" + next.name;
  remove_unused(first);
  return first;
}

}  // namespace flipscope
