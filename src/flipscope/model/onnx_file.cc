// Reads ONNX files with ONNX's own protobuf schema. Nothing is allocated for a tensor before its
// dimensions were compared with the data that the file really holds.
#include "flipscope/model/onnx_file.h"

#define ONNX_ML 1  // the variant of the schema that Debian's library is built with
#include <google/protobuf/io/coded_stream.h>
#include <onnx/onnx_pb.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>
#include <optional>
#include <set>

#include "flipscope/numeric/error.h"
#include "flipscope/numeric/number_format.h"

namespace flipscope {
namespace {

namespace fs = std::filesystem;

int bits_of(ElementType type) {
  switch (type) {
    case ElementType::int4:
    case ElementType::uint4: return 4;
    case ElementType::int8:
    case ElementType::uint8:
    case ElementType::boolean: return 8;
    case ElementType::float16:
    case ElementType::bfloat16:
    case ElementType::int16:
    case ElementType::uint16: return 16;
    case ElementType::float32:
    case ElementType::int32:
    case ElementType::uint32: return 32;
    case ElementType::float64:
    case ElementType::int64:
    case ElementType::uint64: return 64;
  }
  return 64;
}

// Integers that a double cannot hold are refused, but for the "as far as possible" of slices,
// which becomes ±2^62.
constexpr std::int64_t kExact = std::int64_t{1} << 53;
constexpr std::int64_t kFar = std::int64_t{1} << 62;

double exact_integer(std::int64_t value) {
  if (value >= kFar) return static_cast<double>(kFar);
  if (value <= -kFar) return -static_cast<double>(kFar);
  if (value > kExact || value < -kExact) {
    fail("tensor", "the integer {} is beyond 2^53", value);
  }
  return static_cast<double>(value);
}

double exact_integer(std::uint64_t value) {
  return exact_integer(static_cast<std::int64_t>(std::min<std::uint64_t>(value, kFar)));
}

template <typename T>
T load(const char* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

double int4(unsigned nibble, bool is_signed) {
  const int value = static_cast<int>(nibble & 15U);
  return is_signed && value > 7 ? value - 16 : value;
}

double from_bits(ElementType type, std::uint64_t bits) {
  const auto low = static_cast<std::uint32_t>(bits);
  switch (type) {
    case ElementType::float32: return std::bit_cast<float>(low);
    case ElementType::float64: return std::bit_cast<double>(bits);
    case ElementType::float16: return decode(float16_format(), low & 0xFFFFU);
    case ElementType::bfloat16: return decode(bfloat16_format(), low & 0xFFFFU);
    case ElementType::int4: return int4(low, true);
    case ElementType::uint4: return int4(low, false);
    case ElementType::int8: return static_cast<std::int8_t>(low);
    case ElementType::uint8: return static_cast<std::uint8_t>(low);
    case ElementType::int16: return static_cast<std::int16_t>(low);
    case ElementType::uint16: return static_cast<std::uint16_t>(low);
    case ElementType::int32: return static_cast<std::int32_t>(low);
    case ElementType::uint32: return low;
    case ElementType::int64: return exact_integer(static_cast<std::int64_t>(bits));
    case ElementType::uint64: return exact_integer(bits);
    case ElementType::boolean: return (low & 0xFFU) != 0 ? 1 : 0;
  }
  return 0;
}

// Little-endian elements, int4 two to a byte with the first in the low half.
std::vector<double> from_bytes(ElementType type, const char* data, std::size_t size,
                               std::int64_t count) {
  const int bits = bits_of(type);
  const auto expected = (static_cast<std::uint64_t>(count) * static_cast<unsigned>(bits) + 7) / 8;
  if (expected != size) {
    fail("tensor", "its shape needs {} bytes of {}, the file holds {}", expected, to_string(type),
         size);
  }
  std::vector<double> values(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < values.size(); ++i) {
    std::uint64_t word = 0;
    switch (bits) {
      case 4: word = load<std::uint8_t>(data + i / 2) >> (i % 2 == 0 ? 0 : 4); break;
      case 8: word = load<std::uint8_t>(data + i); break;
      case 16: word = load<std::uint16_t>(data + 2 * i); break;
      case 32: word = load<std::uint32_t>(data + 4 * i); break;
      default: word = load<std::uint64_t>(data + 8 * i); break;
    }
    values[i] = from_bits(type, word);
  }
  return values;
}

// The range of another file that holds a tensor's bytes. The other file must lie in the model's
// own folder or below, links resolved.
std::string external_bytes(const onnx::TensorProto& tensor, const fs::path& folder,
                           std::uint64_t expected) {
  std::string location;
  std::uint64_t offset = 0, length = expected;
  for (const auto& entry : tensor.external_data()) {
    const auto number = [&](std::uint64_t& to) {
      const std::string& text = entry.value();
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), to);
      if (error != std::errc() || end != text.data() + text.size()) {
        fail("tensor", "external data: {} is \"{}\", not a number", entry.key(), text);
      }
    };
    if (entry.key() == "location") location = entry.value();
    if (entry.key() == "offset") number(offset);
    if (entry.key() == "length") number(length);
  }
  const fs::path relative(location);
  std::error_code error;
  const fs::path root = fs::weakly_canonical(folder.empty() ? fs::path(".") : folder, error);
  const fs::path whole = fs::weakly_canonical(root / relative, error);
  const auto [rest, ignored] = std::mismatch(root.begin(), root.end(), whole.begin(), whole.end());
  if (location.empty() || relative.is_absolute() || error || rest != root.end()) {
    fail("tensor", "external data \"{}\" must be a file in the model's own folder", location);
  }
  if (!fs::is_regular_file(whole, error)) {
    fail("tensor", "external data file \"{}\" does not exist beside the model", location);
  }
  const std::uint64_t size = fs::file_size(whole, error);
  if (error || length != expected || offset > size || length > size - offset) {
    fail("tensor", "external data \"{}\": {} bytes from {} of {} bytes, its shape needs {}",
         location, length, offset, size, expected);
  }
  std::string bytes(length, '\0');
  std::ifstream stream(whole, std::ios::binary);
  stream.seekg(static_cast<std::streamoff>(offset));
  if (!stream.read(bytes.data(), static_cast<std::streamsize>(length))) {
    fail("tensor", "external data file \"{}\" cannot be read", location);
  }
  return bytes;
}

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
    case ElementType::float32: return from_field(tensor.float_data(), count, "float_data", same);
    case ElementType::float64: return from_field(tensor.double_data(), count, "double_data", same);
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
        values[i] = int4(pair >> (i % 2 == 0 ? 0 : 4), type == ElementType::int4);
      }
      return values;
    }
    default:
      return from_field(tensor.int32_data(), count, "int32_data", [type](std::int32_t value) {
        return from_bits(type, static_cast<std::uint32_t>(value));
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
    const auto size = (static_cast<std::uint64_t>(count) * static_cast<unsigned>(bits_of(*type)) + 7) / 8;
    const std::string bytes = external_bytes(proto, folder, size);
    tensor.data = from_bytes(*type, bytes.data(), bytes.size(), count);
  } else if (proto.has_raw_data()) {
    tensor.data = from_bytes(*type, proto.raw_data().data(), proto.raw_data().size(), count);
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
      attribute.integer = std::clamp(proto.i(), -kFar, kFar);
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
        attribute.integers.push_back(std::clamp(value, -kFar, kFar));
      }
      break;
    case onnx::AttributeProto::STRINGS:
      attribute.kind = Kind::texts;
      attribute.texts.assign(proto.strings().begin(), proto.strings().end());
      break;
    default: break;
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
  if (!stream.read(bytes.data(), static_cast<std::streamsize>(size))) fail("file", "cannot be read");
  google::protobuf::io::CodedInputStream coded(
      reinterpret_cast<const std::uint8_t*>(bytes.data()), static_cast<int>(size));
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

// By number, as the newest types are unknown to older schemas.
std::optional<ElementType> onnx_element_type(std::int64_t number) {
  switch (number) {
    case 1: return ElementType::float32;
    case 2: return ElementType::uint8;
    case 3: return ElementType::int8;
    case 4: return ElementType::uint16;
    case 5: return ElementType::int16;
    case 6: return ElementType::int32;
    case 7: return ElementType::int64;
    case 9: return ElementType::boolean;
    case 10: return ElementType::float16;
    case 11: return ElementType::float64;
    case 12: return ElementType::uint32;
    case 13: return ElementType::uint64;
    case 16: return ElementType::bfloat16;
    case 21: return ElementType::uint4;
    case 22: return ElementType::int4;
    default: return {};
  }
}

std::string one_line(const std::string& text) {
  constexpr std::size_t kLongest = 4000;
  std::string line = text.substr(0, kLongest);
  std::replace_if(
      line.begin(), line.end(), [](unsigned char c) { return c < 32 || c == 127; }, '?');
  return line;
}

std::string without_part(const Error& error) {
  const std::string text = error.what();
  const auto end = text.starts_with('[') ? text.find("] ") : std::string::npos;
  return end == std::string::npos ? text : text.substr(end + 2);
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

Tensor read_onnx_tensor(const std::string& file) {
  return with_file(file, [&] {
    onnx::TensorProto proto;
    parse(file, proto);
    return convert_tensor(proto, std::filesystem::path(file).parent_path());
  });
}

}  // namespace flipscope
