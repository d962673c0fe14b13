// Converts an ONNX model node by node: a table of symbols by name, and one converter per operator.
#include "flipscope/model/onnx.h"

#include <filesystem>
#include <unordered_map>

#include "flipscope/model/model.h"
#include "flipscope/model/onnx_batch.h"
#include "flipscope/model/onnx_operators.h"

namespace flipscope {
namespace {

// A named symbol of the model on its way, with the zero point of codes (see OnnxCall).
struct Entry {
  Symbol symbol;
  double zero_point = 0;
  std::string refusal{};  ///< why it cannot be read, where it cannot
};

using Entries = std::unordered_map<std::string, Entry>;

// Domains whose operators are in the table; the empty one is ONNX's own.
bool is_known(const std::string& domain, const std::string& op_type) {
  const bool quantizer = op_type == "Quant" || op_type == "IntQuant" || op_type == "BipolarQuant" ||
                         op_type == "Trunc";
  if (domain == "qonnx.custom_op.general" || domain == "onnx.brevitas" ||
      domain == "finn.custom_op.general") {
    return quantizer;
  }
  const bool extra = op_type == "QGemm" || (op_type.starts_with("QLinear") &&
                                            op_type != "QLinearConv" && op_type != "QLinearMatMul");
  if (domain == "com.microsoft") {
    return extra || op_type == "QuantizeLinear" || op_type == "DequantizeLinear" ||
           op_type == "Gelu";
  }
  return domain.empty() && !quantizer && !extra;
}

// The opset of ONNX's own operators; files without one are as old as the format.
std::int64_t standard_opset(const OnnxModel& model) {
  const auto found = model.opsets.find("");
  return found == model.opsets.end() ? 1 : found->second;
}

std::string supported_names() {
  std::string names;
  for (const auto& [name, ignored] : onnx_operators()) {
    names += (names.empty() ? "" : ", ") + name;
  }
  return names;
}

void add_inputs(const OnnxModel& model, const OnnxOptions& options, GraphBuilder& builder,
                Entries& entries) {
  for (const OnnxValue& input : model.inputs) {
    const auto given = options.constants.find(input.name);
    if (given != options.constants.end()) {
      entries[input.name] = {builder.literal(given->second)};
      continue;
    }
    if (!input.has_shape) {
      fail("onnx", "input \"{}\" has no shape; export the model with one", input.name);
    }
    Shape shape = input.shape;
    if (options.first_axis_is_batch && !shape.empty()) shape[0] = 1;
    for (std::size_t k = 0; k < shape.size(); ++k) {
      if (shape[k] >= 0) continue;
      fail("onnx",
           "input \"{}\" has the symbolic dimension \"{}\" on axis {}; only the first axis, the "
           "batch, may be symbolic: export the model with a fixed size",
           input.name, input.symbols[k], k);
    }
    Entry entry{builder.add_input(input.name, shape)};
    entry.symbol.type = input.type;
    entries[input.name] = std::move(entry);
  }
}

void convert_node(const OnnxNode& node, std::int64_t opset, std::int64_t batch,
                  GraphBuilder& builder, Entries& entries) {
  const auto found = onnx_operators().find(node.op_type);
  if (found == onnx_operators().end() || !is_known(node.domain, node.op_type)) {
    OnnxCall::refuse("{}not supported; supported operators: {}",
                     node.domain.empty() ? "" : "domain " + node.domain + ": ", supported_names());
  }
  const OnnxOperator& op = found->second;
  OnnxCall call(builder, node, opset);
  call.batch = batch;
  for (const std::string& name : node.inputs) {
    if (name.empty()) {
      call.inputs.push_back(absent());
      call.zero_points.push_back(0);
      continue;
    }
    const auto entry = entries.find(name);
    if (entry == entries.end()) {
      OnnxCall::refuse("reads \"{}\", which nothing before it makes", name);
    }
    if (!entry->second.refusal.empty()) throw Error(entry->second.refusal);
    call.inputs.push_back(entry->second.symbol);
    call.zero_points.push_back(entry->second.zero_point);
  }
  if (!op.carries_codes) {
    for (std::size_t i = 0; i < call.inputs.size(); ++i) {
      if (call.has(i)) call.inputs[i] = call.decoded(i);
      call.zero_points[i] = 0;
    }
  }
  if (call.inputs.empty()) call.zero_points.push_back(0);
  const std::vector<Symbol> outputs = op.convert(call);
  call.check_attributes();
  for (std::size_t i = 0; i < node.outputs.size(); ++i) {
    if (node.outputs[i].empty()) continue;
    Entry entry;
    if (i < outputs.size() && outputs[i].present) {
      entry.symbol = outputs[i];
      entry.zero_point = call.output_zero_point;
    } else {
      entry.refusal =
          fmt::format("output {} of node \"{}\" ({}) is not supported", i, node.name, node.op_type);
    }
    if (!entries.emplace(node.outputs[i], std::move(entry)).second) {
      OnnxCall::refuse("makes \"{}\", which exists already", node.outputs[i]);
    }
  }
}

}  // namespace

const OnnxOperatorTable& onnx_operators() {
  static const OnnxOperatorTable table = [] {
    OnnxOperatorTable made;
    add_activation_operators(made);
    add_convolution_operators(made);
    add_creation_operators(made);
    add_elementwise_operators(made);
    add_index_operators(made);
    add_matrix_operators(made);
    add_movement_operators(made);
    add_normalization_operators(made);
    add_pooling_operators(made);
    add_qonnx_operators(made);
    add_qoperators(made);
    add_quantization_operators(made);
    add_reduction_operators(made);
    add_resize_operators(made);
    add_shape_operators(made);
    return made;
  }();
  return table;
}

OnnxConversion convert_onnx(const OnnxModel& model, const OnnxOptions& options) {
  OnnxConversion result{GraphBuilder("onnx", Layout::channel_first), {}, {}};
  Entries entries;
  const std::int64_t batch = fixed_batch(model, options);
  try {
    for (const OnnxInitializer& initializer : model.initializers) {
      entries[initializer.name] = {
          result.builder.initializer(initializer.name, initializer.tensor)};
    }
    add_inputs(model, options, result.builder, entries);
  } catch (const Error& error) {
    throw Error(one_line(fmt::format("[onnx] {}: {}", model.file, without_part(error))));
  }
  const std::int64_t opset = standard_opset(model);
  for (const OnnxNode& node : model.nodes) {
    try {
      convert_node(node, opset, batch, result.builder, entries);
    } catch (const Error& error) {
      throw Error(one_line(fmt::format("[onnx] {}: node \"{}\" ({}): {}", model.file, node.name,
                                       node.op_type, without_part(error))));
    }
  }
  for (const OnnxValue& output : model.outputs) {
    const auto found = entries.find(output.name);
    const bool made = found != entries.end() && found->second.refusal.empty();
    if (!made) {
      const std::string reason =
          found == entries.end() ? "nothing makes it" : found->second.refusal;
      throw Error(
          one_line(fmt::format("[onnx] {}: output \"{}\": {}", model.file, output.name, reason)));
    }
    Symbol symbol = found->second.symbol;
    if (found->second.zero_point != 0) {
      const Symbol zero_point =
          result.builder.literal({symbol.type, {}, {found->second.zero_point}});
      symbol = result.builder.add(output.name, Binary{BinaryFunction::add}, {symbol, zero_point});
    }
    result.outputs.push_back(std::move(symbol));
    result.output_names.push_back(output.name);
  }
  return result;
}

namespace {

OnnxConversion converted_at_batch(const OnnxModel& model, const OnnxOptions& options,
                                  std::int64_t batch) {
  try {
    return convert_onnx(model, options);
  } catch (const Error& error) {
    if (batch == 1) throw;
    throw Error(
        fmt::format("{} (the inputs' first axis of {} was taken as the batch; with a batch "
                    "of 1 in the file, shapes would be those of one sample)",
                    error.what(), batch));
  }
}

}  // namespace

Graph import_onnx(const std::string& file, const OnnxOptions& options) {
  const OnnxModel model = read_onnx(file);
  const std::int64_t batch = fixed_batch(model, options);
  OnnxConversion converted = converted_at_batch(model, options, batch);
  if (converted.outputs.empty()) fail("onnx", "{}: the graph has no outputs", one_line(file));
  for (std::size_t k = 0; k < converted.outputs.size(); ++k) {
    if (converted.outputs[k].value >= 0) continue;
    throw Error(one_line(fmt::format("[onnx] {}: output \"{}\" does not depend on any input", file,
                                     converted.output_names[k])));
  }
  const std::string name = std::filesystem::path(file).stem().string();
  Graph graph;
  try {
    graph = converted.builder.finish(name, converted.outputs, converted.output_names);
  } catch (const Error& error) {
    throw Error(one_line(fmt::format("[onnx] {}: {}", file, without_part(error))));
  }
  if (batch > 1) check_batch(model, options, graph);
  return graph;
}

Graph import_onnx(const std::string& file) {
  return import_onnx(file, OnnxOptions{});
}

}  // namespace flipscope
