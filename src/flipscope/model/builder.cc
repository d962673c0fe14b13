#include "flipscope/model/builder.h"

#include <algorithm>
#include <cmath>

#include "flipscope/model/prune.h"
#include "flipscope/numeric/error.h"

namespace flipscope {
namespace {

/// What an element of the given type keeps of x.
double round_to_type(double x, ElementType type) {
  switch (type) {
    case ElementType::float64:
      return x;
    case ElementType::float32:
      return static_cast<float>(x);
    case ElementType::float16:
      return decode(float16_format(), encode(float16_format(), x));
    case ElementType::bfloat16:
      return decode(bfloat16_format(), encode(bfloat16_format(), x));
    default:
      return std::trunc(x);
  }
}

/// How a register holds an element that no quantizer touched.
Encoding plain_encoding(ElementType type, const std::vector<double>& elements) {
  if (type == ElementType::float16) return Encoding{.format = float16_format()};
  if (type == ElementType::bfloat16) return Encoding{.format = bfloat16_format()};
  if (is_integer(type)) {
    const bool fits = std::all_of(elements.begin(), elements.end(),
                                  [](double x) { return std::abs(x) < 2147483648.0; });
    if (fits) return Encoding{.format = integer_format(32)};
  }
  return Encoding{.format = float32_format()};
}

/// True where two readers of one initializer read the same words. Integers of the file are what
/// they are, whatever scale each reader has for them.
bool are_same_words(const StoredTensor& a, const StoredTensor& b, bool integers) {
  Encoding encoding = a.encoding;
  if (integers && encoding.scale.size() == b.encoding.scale.size()) {
    encoding.scale = b.encoding.scale;
  }
  return encoding == b.encoding && a.words == b.words && a.shape == b.shape;
}

/// True where all that the symbol shows is fill.
bool shows_nothing(const Provenance& from) {
  return !from.source->empty() && std::all_of(from.source->begin(), from.source->end(),
                                              [](std::int32_t at) { return at < 0; });
}

}  // namespace

GraphBuilder::GraphBuilder(std::string part, Layout layout) : part_(std::move(part)) {
  graph_.layout = layout;
}

Symbol GraphBuilder::add_input(const std::string& name, const Shape& shape) {
  try {
    element_count(shape);
  } catch (const Error& error) {
    fail(part_.c_str(), "input \"{}\": {}", name, error.what());
  }
  graph_.inputs.push_back(static_cast<int>(graph_.values.size()));
  graph_.values.push_back({.name = name, .shape = shape, .encoding = {.format = float32_format()}});
  Symbol symbol;
  symbol.shape = shape;
  symbol.value = graph_.inputs.back();
  return symbol;
}

Symbol GraphBuilder::literal(const Tensor& tensor) const {
  Symbol symbol;
  symbol.shape = tensor.shape;
  symbol.type = tensor.type;
  symbol.constant = tensor.data;
  return symbol;
}

Symbol GraphBuilder::initializer(const std::string& name, const Tensor& tensor) const {
  Symbol symbol = literal(tensor);
  make_own_origin(symbol, name);
  return symbol;
}

Symbol GraphBuilder::fold(const std::string& node, const Op& op, const std::vector<Symbol>& inputs,
                          const Shape& shape, ElementType type) const {
  std::vector<View<double>> views;
  for (const Symbol& input : inputs) {
    View<double> view;
    if (input.present) view = {input.constant->data(), &input.shape, true, input.constant->data()};
    views.push_back(view);
  }
  Symbol result;
  result.shape = shape;
  result.type = type;
  std::vector<double> elements(element_count(shape));
  if (std::holds_alternative<Quantize>(op) && inputs[0].type == ElementType::float32) {
    // A code next to a rounding boundary must come out as at run time, in float32.
    const std::vector<float> x(inputs[0].constant->begin(), inputs[0].constant->end());
    std::vector<float> codes(elements.size());
    const View<float> view{x.data(), &inputs[0].shape, true, nullptr};
    forward<float>(op, {&view, 1}, shape, codes.data(), 1);
    elements.assign(codes.begin(), codes.end());
  } else {
    forward<double>(op, views, shape, elements.data(), 1);
  }
  const bool codes = std::holds_alternative<Quantize>(op) || std::holds_alternative<Dequantize>(op);
  if (!codes) {
    for (double& x : elements) x = round_to_type(x, type);
  }
  result.constant = std::move(elements);
  const bool from_file = std::any_of(inputs.begin(), inputs.end(),
                                     [](const Symbol& s) { return s.provenance.has_value(); });
  if (!from_file) return result;
  result.provenance = kept_provenance(op, inputs, shape);
  if (!result.provenance) {
    make_own_origin(result, node);
  } else if (!std::holds_alternative<Rearrange>(op) && result.constant != inputs[0].constant) {
    result.provenance->changed_by = node;
    if (!codes) result.provenance->is_computed = true;
  }
  return result;
}

Symbol GraphBuilder::add(const std::string& node, Op op, std::vector<Symbol> inputs,
                         std::optional<ElementType> type) {
  std::vector<Shape> shapes;
  for (const Symbol& input : inputs) shapes.push_back(input.present ? input.shape : Shape{});
  Shape shape;
  try {
    shape = output_shape(op, shapes);
    element_count(shape);
  } catch (const Error& error) {
    fail(part_.c_str(), "node \"{}\": {}", node, error.what());
  }
  const ElementType out_type =
      type.value_or(inputs.empty() ? ElementType::float32 : inputs[0].type);
  const bool constant = std::all_of(inputs.begin(), inputs.end(), [](const Symbol& symbol) {
    return !symbol.present || symbol.is_constant();
  });
  if (constant) return fold(node, op, inputs, shape, out_type);

  Value value{.name = node, .shape = shape, .encoding = {.format = float32_format()}};
  if (const auto* quantize = std::get_if<Quantize>(&op)) {
    value.encoding = quantize->encoding;
    value.holds_codes = true;
  }
  Node made{.name = node, .op = std::move(op), .output = static_cast<int>(graph_.values.size())};
  for (const Symbol& input : inputs) made.inputs.push_back(use(input));
  graph_.values.push_back(std::move(value));
  graph_.nodes.push_back(std::move(made));

  Symbol result;
  result.shape = shape;
  result.type = out_type;
  result.value = graph_.nodes.back().output;
  return result;
}

Symbol GraphBuilder::reshape(const Symbol& symbol, const Shape& shape) {
  if (element_count(shape) != element_count(symbol.shape)) {
    fail(part_.c_str(), "cannot reshape {} to {}", to_string(symbol.shape), to_string(shape));
  }
  Symbol result = symbol;
  result.shape = shape;
  if (!result.provenance || !result.provenance->encoding || result.provenance->encoding->axis < 0) {
    return result;
  }
  const auto moved = moved_encoding(*symbol.provenance->encoding, symbol.shape, shape, {});
  if (moved) {
    result.provenance->encoding = moved;
    return result;
  }
  make_own_origin(result, symbol.provenance->name);
  result.provenance->encoding.reset();
  return result;
}

Symbol GraphBuilder::fake_quantize(const std::string& node, const Symbol& x,
                                   const Encoding& encoding, bool round_first) {
  const Symbol codes = add(node, Quantize{encoding, round_first}, {x});
  return add(node, Dequantize{encoding.scale, encoding.axis}, {codes});
}

int GraphBuilder::store(const Symbol& symbol, std::vector<std::int32_t>& source) {
  Symbol from = symbol;
  if (from.provenance && shows_nothing(*from.provenance)) from.provenance.reset();
  if (from.provenance) {
    // Where a quantizer gave codes, they are what is stored; other arithmetic makes a new tensor.
    const bool own = from.provenance->encoding
                         ? from.provenance->codes.empty() && !covers_file(*from.provenance)
                         : !from.provenance->changed_by.empty();
    if (own) {
      make_own_origin(
          from, from.provenance->encoding ? symbol.provenance->name : own_name(*symbol.provenance));
    }
  }
  StoredTensor stored;
  std::vector<double> reals;  // in stored order, before the words
  const bool as_codes = from.provenance && from.provenance->as_codes;
  const auto step = [&](std::size_t i) {
    const Encoding& encoding = stored.encoding;
    const std::size_t channel = encoding.channel(static_cast<std::int64_t>(i), stored.shape);
    return as_codes ? 1.0 : encoding.scale_of(channel);
  };
  if (!from.provenance) {
    stored.shape = from.shape;
    stored.encoding = plain_encoding(from.type, *from.constant);
    reals = *from.constant;
  } else {
    const Provenance& origin = *from.provenance;
    stored.name = origin.name;
    stored.shape = origin.shape;
    const bool narrow = origin.type == ElementType::float16 || origin.type == ElementType::bfloat16;
    const ElementType type = narrow && from.type == ElementType::float32 ? origin.type : from.type;
    stored.encoding = origin.encoding.value_or(plain_encoding(type, *from.constant));
    if (stored.encoding.axis >= 0) {
      stored.encoding.axis = file_axis(from, *origin.encoding);
      if (stored.encoding.axis < 0) {
        make_own_origin(from, symbol.provenance->name);
        stored.shape = from.shape;
        stored.encoding = *from.provenance->encoding;
      }
    }
    const Provenance& final_origin = *from.provenance;
    source = *final_origin.source;
    if (final_origin.encoding && !is_integer(final_origin.type) && !final_origin.is_computed) {
      stored.latent.assign(final_origin.file_values->begin(), final_origin.file_values->end());
    }
    // Elements that the symbol shows are stored as it shows them; the rest as the quantizer gave
    // them, or the file has them.
    reals = *final_origin.file_values;
    for (std::size_t i = 0; i < final_origin.codes.size(); ++i) {
      reals[i] = final_origin.codes[i] * step(i);
    }
    for (std::size_t i = 0; i < source.size(); ++i) {
      if (source[i] >= 0) reals[source[i]] = from.constant[i];
    }
  }
  const Encoding& encoding = stored.encoding;
  // What a quantizer gave lies on its grid but for the rounding of its scale: the nearest code is
  // meant, whatever the quantizer's own rounding is.
  NumberFormat nearest = encoding.format;
  nearest.rounding = Rounding::half_even;
  stored.words.reserve(reals.size());
  for (std::size_t i = 0; i < reals.size(); ++i) {
    const std::size_t channel = encoding.channel(static_cast<std::int64_t>(i), stored.shape);
    const double zero = encoding.zero_point_of(channel);
    const double code = reals[i] / step(i);
    // −0 + 0 is another word than −0.
    stored.words.push_back(encode(nearest, encoding.is_float() ? code : code + zero));
  }
  bool identity = source.size() == reals.size();
  for (std::size_t i = 0; i < source.size() && identity; ++i) {
    identity = source[i] == static_cast<std::int32_t>(i);
  }
  if (identity) source.clear();

  std::string key = stored.name;
  if (!key.empty()) {
    // One initializer may reach several layers through one quantizer: it is stored once.
    for (int n = 0;; ++n) {
      key = fmt::format("{}#{}", stored.name, n);
      const auto found = stored_by_key_.find(key);
      if (found == stored_by_key_.end()) break;
      const StoredTensor& other = graph_.stored[found->second];
      const bool integers = from.provenance && is_integer(from.provenance->type);
      if (are_same_words(other, stored, integers)) return found->second;
    }
    stored_by_key_[key] = static_cast<int>(graph_.stored.size());
  }
  graph_.stored.push_back(std::move(stored));
  return static_cast<int>(graph_.stored.size()) - 1;
}

Input GraphBuilder::use(const Symbol& symbol) {
  if (!symbol.present) return {};
  if (symbol.value >= 0) return {Input::Kind::value, symbol.value, symbol.shape};
  Constant constant;
  constant.shape = symbol.shape;
  constant.stored = store(symbol, constant.source);
  const bool is_filled = std::any_of(constant.source.begin(), constant.source.end(),
                                     [](std::int32_t at) { return at < 0; });
  if (is_filled) constant.filled = *symbol.constant;
  const auto& from = symbol.provenance;
  const bool scaled = from && !shows_nothing(*from) && from->encoding && !from->as_codes;
  constant.scale = scaled ? from->encoding->scale : std::vector<double>{1.0};
  graph_.constants.push_back(std::move(constant));
  return {Input::Kind::constant, static_cast<int>(graph_.constants.size()) - 1, symbol.shape};
}

Graph GraphBuilder::finish(const std::string& name, const std::vector<Symbol>& outputs,
                           const std::vector<std::string>& output_names) {
  graph_.name = name;
  for (std::size_t k = 0; k < outputs.size(); ++k) {
    Symbol output = outputs[k];
    const bool plain = output.value >= 0 && graph_.values[output.value].shape == output.shape;
    if (!plain) {
      Node node{.name = output_names[k], .op = Unary{UnaryFunction::identity}};
      node.inputs.push_back(use(output));
      node.output = static_cast<int>(graph_.values.size());
      graph_.values.push_back({.name = output_names[k],
                               .shape = output.shape,
                               .encoding = {.format = float32_format()}});
      graph_.nodes.push_back(std::move(node));
      output.value = graph_.nodes.back().output;
    }
    graph_.outputs.push_back(output.value);
  }
  remove_unused(graph_);
  assign_parts(graph_);
  check(graph_);
  return std::move(graph_);
}

}  // namespace flipscope
