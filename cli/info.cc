// flipscope info: what a model holds, and how much of it can be struck.
#include <algorithm>
#include <map>

#include "flipscope/fault/fault_space.h"
#include "flipscope/model/lower.h"
#include "flipscope/model/model.h"
#include "flipscope/numeric/error.h"
#include "json.h"
#include "terminal.h"
#include "verbs.h"

namespace flipscope::cli {

namespace {

constexpr Part kParts[] = {Part::weights,     Part::biases,   Part::normalization,
                           Part::activations, Part::operands, Part::inputs};

/// One node of the graph, as a person or a script wants to see it.
struct LayerRow {
  const Node* node = nullptr;
  std::string in, out;
  std::vector<int> stored;  ///< tensors with registers that it reads
  std::string format;       ///< of its weights, else of the first of `stored`
  std::int64_t parameters = 0;
  std::int64_t bits = 0;
  const ExactnessProof* proof = nullptr;
};

std::string shape_of(const Graph& graph, const Input& input) {
  return input.kind == Input::Kind::value
             ? to_string(graph.values[static_cast<std::size_t>(input.id)].shape)
             : "constant";
}

std::int64_t stored_bits(const StoredTensor& stored) {
  std::int64_t bits = 0;
  for (std::int64_t i = 0; i < std::ssize(stored.words); ++i) bits += stored.encoding.width(i);
  return bits;
}

LayerRow layer_row(const Graph& graph, const Node& node) {
  LayerRow row;
  row.node = &node;
  row.in = node.inputs.empty() ? "" : shape_of(graph, node.inputs[0]);
  row.out = to_string(graph.values[static_cast<std::size_t>(node.output)].shape);
  for (const Input& input : node.inputs) {
    if (input.kind != Input::Kind::constant) continue;
    const int id = graph.constants[static_cast<std::size_t>(input.id)].stored;
    if (id < 0) continue;
    const StoredTensor& stored = graph.stored[static_cast<std::size_t>(id)];
    if (stored.part == Part::none) continue;
    if (row.format.empty() || stored.part == Part::weights) row.format = to_string(stored.encoding);
    row.stored.push_back(id);
    row.parameters += element_count(stored.shape);
    row.bits += stored_bits(stored);
  }
  return row;
}

std::string sums(const ExactnessProof* proof) {
  if (proof == nullptr) return "";
  const char* carrier = proof->carrier == Carrier::float32 ? "float32" : "float64";
  if (proof->exact) {
    return fmt::format("exact in {}, |sum| <= {}", carrier,
                       grouped(static_cast<std::uint64_t>(proof->bound)));
  }
  return fmt::format("{}, rounded in a fixed order: {}", carrier, proof->reason);
}

/// Tensors, elements and bits of a part; all 0 where the model has none.
struct PartTotal {
  std::size_t tensors = 0;
  std::int64_t elements = 0;
  std::uint64_t bits = 0;
};

PartTotal part_total(const Graph& graph, Part part) {
  PartTotal total;
  try {
    const FaultSpace space(graph, {.parts = {part}, .layers = {}, .bits = {}});
    total.tensors = space.targets().size();
    for (const FaultTarget& target : space.targets()) total.elements += target.elements;
    total.bits = space.size();
  } catch (const Error&) {
    return {};
  }
  return total;
}

Json layer_json(const Graph& graph, const LayerRow& row) {
  Json::Object json = {
      {"name", row.node->name}, {"layer", row.node->layer}, {"operator", name(row.node->op)},
      {"input", row.in},        {"output", row.out},        {"parameters", row.parameters},
      {"bits", row.bits}};
  Json::Array tensors;
  for (const int id : row.stored) {
    const StoredTensor& stored = graph.stored[static_cast<std::size_t>(id)];
    tensors.push_back(Json::Object{{"name", stored.name},
                                   {"part", to_string(stored.part)},
                                   {"shape", Json(stored.shape)},
                                   {"format", to_string(stored.encoding)}});
  }
  json.emplace_back("tensors", std::move(tensors));
  if (row.proof != nullptr) {
    json.emplace_back("exact", row.proof->exact);
    json.emplace_back("carrier", row.proof->carrier == Carrier::float32 ? "float32" : "float64");
    json.emplace_back("bound", row.proof->sums_codes ? Json(row.proof->bound) : Json());
    json.emplace_back("reason", row.proof->reason);
  }
  return json;
}

Json ends_json(const Graph& graph, const std::vector<int>& ids) {
  Json::Array ends;
  for (const int id : ids) {
    const Value& value = graph.values[static_cast<std::size_t>(id)];
    ends.push_back(Json::Object{{"name", value.name}, {"shape", Json(value.shape)}});
  }
  return ends;
}

std::string parts_of(const FaultSpaceOptions& options) {
  std::string text;
  for (const Part part : options.parts) {
    text += fmt::format("{}{}", text.empty() ? "" : ", ", to_string(part));
  }
  return text;
}

}  // namespace

void describe_info(Command& command, Options& options) {
  command.heading("Arguments");
  describe_model(command, options);
  describe_fault_space(command, options);
  describe_common(command, options);
  command.example("info examples/classifier.onnx --in weights,biases --bits msb:2");
}

int info(const Options& options) {
  const Graph graph = load_model(options.campaign.model, options.campaign.variant);
  const std::vector<ExactnessProof> proofs = prove_exactness(graph);
  const FaultSpace space(graph, options.campaign.space);

  std::vector<LayerRow> rows;
  for (const Node& node : graph.nodes) rows.push_back(layer_row(graph, node));
  for (const ExactnessProof& proof : proofs)
    rows[static_cast<std::size_t>(proof.node)].proof = &proof;

  if (options.json) {
    Json::Array layers;
    for (const LayerRow& row : rows) layers.push_back(layer_json(graph, row));
    Json::Object parts;
    for (const Part part : kParts) {
      const PartTotal total = part_total(graph, part);
      parts.emplace_back(to_string(part), Json::Object{{"tensors", total.tensors},
                                                       {"elements", total.elements},
                                                       {"bits", total.bits}});
    }
    print(text(
        Json::Object{{"model", options.campaign.model},
                     {"identity", model_identity(options.campaign.model)},
                     {"inputs", ends_json(graph, graph.inputs)},
                     {"outputs", ends_json(graph, graph.outputs)},
                     {"layers", std::move(layers)},
                     {"parts", std::move(parts)},
                     {"fault_space", Json::Object{{"in", parts_of(options.campaign.space)},
                                                  {"layers", Json(options.campaign.space.layers)},
                                                  {"bits", options.campaign.space.bits},
                                                  {"faults", space.size()}}},
                     {"seed", options.campaign.seed}}));
    return 0;
  }
  if (options.quiet) return 0;

  print(fmt::format("{}: {} operators", options.campaign.model, graph.nodes.size()));
  for (const int id : graph.inputs) {
    print(fmt::format(", input {}", to_string(graph.values[static_cast<std::size_t>(id)].shape)));
  }
  for (const int id : graph.outputs) {
    print(fmt::format(", output {}", to_string(graph.values[static_cast<std::size_t>(id)].shape)));
  }
  print(graph.layout == Layout::channel_first ? ", channels first\n\n" : ", channels last\n\n");

  Table layers({"layer", "operator", "input", "output", "format", "parameters", "bits", "sums"},
               "lllllrrl");
  std::map<std::string, int> others;
  for (const LayerRow& row : rows) {
    if (row.stored.empty() && row.proof == nullptr) {
      ++others[name(row.node->op)];
      continue;
    }
    layers.row({row.node->layer, name(row.node->op), row.in, row.out, row.format,
                grouped(static_cast<std::uint64_t>(row.parameters)),
                grouped(static_cast<std::uint64_t>(row.bits)), sums(row.proof)});
  }
  print(layers.text());
  std::string list;
  for (const auto& [operation, count] : others) {
    list += fmt::format("{}{} {}", list.empty() ? "" : ", ", count, operation);
  }
  if (!list.empty()) print(fmt::format("and, without parameters: {}\n", list));

  Table parts({"part", "tensors", "elements", "bits"}, "lrrr");
  for (const Part part : kParts) {
    const PartTotal total = part_total(graph, part);
    parts.row({to_string(part), grouped(total.tensors),
               grouped(static_cast<std::uint64_t>(total.elements)), grouped(total.bits)});
  }
  print("\n" + parts.text());
  print(fmt::format("\nFault space in {}: {} faults of one bit (seed {}).\n",
                    parts_of(options.campaign.space), grouped(space.size()),
                    options.campaign.seed));
  return 0;
}

}  // namespace flipscope::cli
