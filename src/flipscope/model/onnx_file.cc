// Reads ONNX files with ONNX's own protobuf schema. Nothing is allocated for a tensor before its
// dimensions were compared with the data that the file really holds.
#include "flipscope/model/onnx_file.h"

#define ONNX_ML 1  // the variant of the schema that Debian's library is built with
#include <google/protobuf/io/coded_stream.h>
#include <onnx/onnx_pb.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <limits>
#include <set>

#include "flipscope/model/onnx_element.h"
#include "flipscope/model/stored_array.h"
#include "flipscope/numeric/error.h"

namespace flipscope {
namespace {

namespace fs = std::filesystem;

template <typename Field, typename Convert>
std::vector<double> from_field(const Field& field, std::int64_t count, const char* name,
                               Convert convert) {
  if (field.size() != count) {
    fail("tensor", "its shape has {} elements, {} holds {}", count, name, field.size());
  }
  std::vector<double> values;
  values.reserve(static_cast<std::size_t>(count));
  for (const auto& value : field) values.push_back(convert(value));
  return values;
}

std::vector<double> typed_values(const onnx::TensorProto& tensor, ElementType type,
                                 std::int64_t count) {
  const auto same = [](auto value) { return static_cast<double>(value); };
  switch (type) {
    case ElementType::float32:
      return from_field(tensor.float_data(), count, "float_data", same);
    case ElementType::float64:
      return from_field(tensor.double_data(), count, "double_data", same);
    case ElementType::int64:
      return from_field(tensor.int64_data(), count, "int64_data",
                        [](std::int64_t value) { return exact_integer(value); });
    case ElementType::uint32:
      return from_field(tensor.uint64_data(), count, "uint64_data", [](std::uint64_t value) {
        return static_cast<double>(static_cast<std::uint32_t>(value));
      });
    case ElementType::uint64:
      return from_field(tensor.uint64_data(), count, "uint64_data",
                        [](std::uint64_t value) { return exact_integer(value); });
    case ElementType::int4:
    case ElementType::uint4: {
      auto pairs = from_field(tensor.int32_data(), (count + 1) / 2, "int32_data", same);
      std::vector<double> values(static_cast<std::size_t>(count));
      for (std::size_t i = 0; i < values.size(); ++i) {
        const auto pair = static_cast<unsigned>(static_cast<int>(pairs[i / 2]));
        values[i] = int4_from_bits(pair >> (i % 2 == 0 ? 0 : 4), type == ElementType::int4);
      }
      return values;
    }
    default:
      return from_field(tensor.int32_data(), count, "int32_data", [type](std::int32_t value) {
        return element_from_bits(type, static_cast<std::uint32_t>(value));
      });
  }
}

Tensor convert_tensor(const onnx::TensorProto& proto, const fs::path& folder) {
  const auto type = onnx_element_type(proto.data_type());
  if (!type) fail("tensor", "element type number {} is not supported", proto.data_type());
  if (proto.has_segment()) fail("tensor", "segmented tensors are not supported");
  Tensor tensor;
  tensor.type = *type;
  tensor.shape.assign(proto.dims().begin(), proto.dims().end());
  const std::int64_t count = element_count(tensor.shape);
  if (proto.data_location() == onnx::TensorProto::EXTERNAL) {
    ExternalData external;
    for (const auto& entry : proto.external_data()) external[entry.key()] = entry.value();
    const auto size =
        (static_cast<std::uint64_t>(count) * static_cast<unsigned>(element_bits(*type)) + 7) / 8;
    const std::string bytes = read_external_data(external, folder, size);
    tensor.data = elements_from_bytes(*type, bytes.data(), bytes.size(), count);
  } else if (proto.has_raw_data()) {
    tensor.data =
        elements_from_bytes(*type, proto.raw_data().data(), proto.raw_data().size(), count);
  } else {
    tensor.data = typed_values(proto, *type, count);
  }
  return tensor;
}

OnnxAttribute convert_attribute(const onnx::AttributeProto& proto, const fs::path& folder) {
  using Kind = OnnxAttribute::Kind;
  OnnxAttribute attribute;
  attribute.name = proto.name();
  auto type = proto.type();
  if (type == onnx::AttributeProto::UNDEFINED) {  // files of the first format versions
    if (proto.has_f()) type = onnx::AttributeProto::FLOAT;
    if (proto.has_i()) type = onnx::AttributeProto::INT;
    if (proto.has_s()) type = onnx::AttributeProto::STRING;
    if (proto.has_t()) type = onnx::AttributeProto::TENSOR;
    if (proto.floats_size() > 0) type = onnx::AttributeProto::FLOATS;
    if (proto.ints_size() > 0) type = onnx::AttributeProto::INTS;
    if (proto.strings_size() > 0) type = onnx::AttributeProto::STRINGS;
  }
  switch (type) {
    case onnx::AttributeProto::FLOAT:
      attribute.kind = Kind::number;
      attribute.number = proto.f();
      break;
    case onnx::AttributeProto::INT:
      attribute.kind = Kind::integer;
      attribute.integer = std::clamp(proto.i(), -kFarInteger, kFarInteger);
      break;
    case onnx::AttributeProto::STRING:
      attribute.kind = Kind::text;
      attribute.text = proto.s();
      break;
    case onnx::AttributeProto::TENSOR:
      attribute.kind = Kind::tensor;
      attribute.tensor = convert_tensor(proto.t(), folder);
      break;
    case onnx::AttributeProto::FLOATS:
      attribute.kind = Kind::numbers;
      attribute.numbers.assign(proto.floats().begin(), proto.floats().end());
      break;
    case onnx::AttributeProto::INTS:
      attribute.kind = Kind::integers;
      for (const std::int64_t value : proto.ints()) {
        attribute.integers.push_back(std::clamp(value, -kFarInteger, kFarInteger));
      }
      break;
    case onnx::AttributeProto::STRINGS:
      attribute.kind = Kind::texts;
      attribute.texts.assign(proto.strings().begin(), proto.strings().end());
      break;
    default:
      break;
  }
  return attribute;
}

OnnxNode convert_node(const onnx::NodeProto& proto, const fs::path& folder) {
  OnnxNode node;
  node.name = proto.name();
  if (node.name.empty() && proto.output_size() > 0) node.name = proto.output(0);
  node.op_type = proto.op_type();
  node.domain = proto.domain() == "ai.onnx" ? "" : proto.domain();
  node.inputs.assign(proto.input().begin(), proto.input().end());
  node.outputs.assign(proto.output().begin(), proto.output().end());
  for (const auto& attribute : proto.attribute()) {
    try {
      node.attributes.push_back(convert_attribute(attribute, folder));
    } catch (const Error& error) {
      fail("attribute", "node \"{}\" ({}), attribute {}: {}", node.name, node.op_type,
           attribute.name(), without_part(error));
    }
  }
  return node;
}

OnnxValue convert_value(const onnx::ValueInfoProto& proto) {
  OnnxValue value;
  value.name = proto.name();
  if (!proto.type().has_tensor_type()) {
    fail("value", "\"{}\" is not a tensor; sequences, maps and optionals are not supported",
         value.name);
  }
  const auto& tensor = proto.type().tensor_type();
  const auto type = onnx_element_type(tensor.elem_type());
  if (!type) {
    fail("value", "\"{}\" has element type number {}, which is not supported", value.name,
         tensor.elem_type());
  }
  value.type = *type;
  value.has_shape = tensor.has_shape();
  for (const auto& dim : tensor.shape().dim()) {
    value.shape.push_back(dim.has_dim_value() ? dim.dim_value() : -1);
    value.symbols.push_back(dim.dim_param());
  }
  return value;
}

template <typename Message>
void parse(const std::string& file, Message& message) {
  std::error_code error;
  const std::uint64_t size = fs::file_size(file, error);
  std::ifstream stream(file, std::ios::binary);
  if (error || !stream) fail("file", "cannot be read; is the path right?");
  if (size > static_cast<std::uint64_t>(std::numeric_limits<int>::max())) {
    fail("file", "is larger than 2 GiB; keep the weights in an external data file");
  }
  std::string bytes(size, '\0');
  if (!stream.read(bytes.data(), static_cast<std::streamsize>(size)))
    fail("file", "cannot be read");
  google::protobuf::io::CodedInputStream coded(reinterpret_cast<const std::uint8_t*>(bytes.data()),
                                               static_cast<int>(size));
  coded.SetTotalBytesLimit(std::numeric_limits<int>::max());
  if (!message.ParsePartialFromCodedStream(&coded) || !coded.ConsumedEntireMessage() ||
      !message.IsInitialized()) {
    fail("file", "is not an ONNX file, or it is truncated");
  }
}

// Runs `body` and puts the file's name in front of what it throws.
template <typename Body>
auto with_file(const std::string& file, Body body) {
  try {
    return body();
  } catch (const Error& error) {
    throw Error(one_line(fmt::format("[onnx] {}: {}", file, without_part(error))));
  }
}

}  // namespace

std::string one_line(const std::string& text) {
  constexpr std::size_t kLongest = 4000;
  std::string line = text.substr(0, kLongest);
  std::replace_if(
      line.begin(), line.end(), [](unsigned char c) { return c < 32 || c == 127; }, '?');
  return line;
}

std::string without_part(const Error& error) {
  const std::string text = error.what();
  const std::size_t end = text.find_first_not_of("abcdefghijklmnopqrstuvwxyz", 1);
  const bool has_part = text.starts_with('[') && end != std::string::npos && end > 1 &&
                        text.compare(end, 2, "] ") == 0;
  return has_part ? text.substr(end + 2) : text;
}

OnnxModel read_onnx(const std::string& file) {
  return with_file(file, [&] {
    onnx::ModelProto proto;
    parse(file, proto);
    if (!proto.has_graph()) fail("file", "holds no graph; is it an ONNX model?");
    const auto& graph = proto.graph();
    const fs::path folder = fs::path(file).parent_path();
    OnnxModel model;
    model.file = file;
    model.name = graph.name();
    for (const auto& opset : proto.opset_import()) {
      model.opsets[opset.domain() == "ai.onnx" ? "" : opset.domain()] = opset.version();
    }
    if (graph.sparse_initializer_size() > 0) {
      fail("file", "sparse initializers are not supported");
    }
    std::set<std::string> initialized;
    for (const auto& tensor : graph.initializer()) {
      try {
        if (!initialized.insert(tensor.name()).second) fail("tensor", "occurs twice");
        model.initializers.push_back({tensor.name(), convert_tensor(tensor, folder)});
      } catch (const Error& error) {
        fail("tensor", "initializer \"{}\": {}", tensor.name(), without_part(error));
      }
    }
    for (const auto& node : graph.node()) model.nodes.push_back(convert_node(node, folder));
    for (const auto& input : graph.input()) {
      if (!initialized.contains(input.name())) model.inputs.push_back(convert_value(input));
    }
    for (const auto& output : graph.output()) {
      OnnxValue value;
      value.name = output.name();
      model.outputs.push_back(value);
    }
    return model;
  });
}

std::vector<std::string> external_data_files(const std::string& file) {
  return with_file(file, [&] {
    onnx::ModelProto proto;
    parse(file, proto);
    const fs::path folder = fs::path(file).parent_path();
    std::set<std::string> files;
    const auto collect = [&](const onnx::TensorProto& tensor) {
      if (tensor.data_location() != onnx::TensorProto::EXTERNAL) return;
      for (const auto& entry : tensor.external_data()) {
        if (entry.key() == "location") files.insert((folder / entry.value()).string());
      }
    };
    for (const auto& tensor : proto.graph().initializer()) collect(tensor);
    for (const auto& node : proto.graph().node()) {
      for (const auto& attribute : node.attribute()) collect(attribute.t());
    }
    return std::vector<std::string>(files.begin(), files.end());
  });
}

Tensor read_onnx_tensor(const std::string& file) {
  return with_file(file, [&] {
    onnx::TensorProto proto;
    parse(file, proto);
    return convert_tensor(proto, std::filesystem::path(file).parent_path());
  });
}

}  // namespace flipscope
