#include "flipscope/model/symbol.h"

#include <algorithm>
#include <numeric>

namespace flipscope {
namespace {

bool is_one_number(const Symbol& symbol) {
  return symbol.constant->size() == 1;
}

/// The codes of a quantized symbol that covers its file, in the file's order.
std::vector<double> codes_in_file(const Symbol& symbol) {
  const Provenance& from = *symbol.provenance;
  std::vector<double> codes(from.file_values->size());
  for (std::size_t i = 0; i < from.source->size(); ++i) {
    if (from.source[i] < 0) continue;
    const std::size_t channel = from.encoding->channel(static_cast<std::int64_t>(i), symbol.shape);
    const double step = from.as_codes ? 1.0 : from.encoding->scale_of(channel);
    codes[from.source[i]] = symbol.constant[i] / step;
  }
  return codes;
}

}  // namespace

Symbol absent() {
  Symbol symbol;
  symbol.present = false;
  return symbol;
}

void make_own_origin(Symbol& symbol, const std::string& name) {
  Provenance from{.name = name, .shape = symbol.shape, .file_values = symbol.constant};
  from.type = symbol.type;
  std::vector<std::int32_t>& source = from.source.edit();
  source.resize(symbol.constant->size());
  std::iota(source.begin(), source.end(), 0);
  if (symbol.provenance && symbol.provenance->encoding) {
    from.encoding = symbol.provenance->encoding;
    from.as_codes = symbol.provenance->as_codes;
    const std::vector<ElementBits>& of_file = symbol.provenance->encoding->elements;
    for (std::size_t i = 0; i < source.size() && !of_file.empty(); ++i) {
      if (i == 0) from.encoding->elements.assign(source.size(), {});
      const std::int32_t at = symbol.provenance->source[i];
      if (at >= 0) from.encoding->elements[i] = of_file[static_cast<std::size_t>(at)];
    }
  }
  symbol.provenance = std::move(from);
}

const std::string& own_name(const Provenance& from) {
  return from.changed_by.empty() ? from.name : from.changed_by;
}

bool covers_file(const Provenance& from) {
  std::vector<bool> seen(from.file_values->size(), false);
  for (std::int32_t at : *from.source) {
    if (at >= 0) seen[at] = true;
  }
  return std::all_of(seen.begin(), seen.end(), [](bool x) { return x; });
}

int file_axis(const Symbol& symbol, const Encoding& encoding) {
  const Provenance& from = *symbol.provenance;
  const Shape strides = strides_of(from.shape);
  for (std::size_t axis = 0; axis < from.shape.size(); ++axis) {
    bool fits = true;
    for (std::size_t i = 0; i < from.source->size() && fits; ++i) {
      const auto index = static_cast<std::int64_t>(i);
      if (from.source[i] < 0) continue;
      fits = from.source[i] / strides[axis] % from.shape[axis] ==
             static_cast<std::int64_t>(encoding.channel(index, symbol.shape));
    }
    if (fits) return static_cast<int>(axis);
  }
  return -1;
}

std::optional<Encoding> moved_encoding(const Encoding& encoding, const Shape& old, const Shape& now,
                                       const std::vector<std::int32_t>& source) {
  if (encoding.axis < 0) return encoding;
  const auto channels =
      static_cast<std::int64_t>(std::max(encoding.scale.size(), encoding.zero_point.size()));
  const std::int64_t count = element_count(now);
  for (std::size_t axis = 0; axis < now.size(); ++axis) {
    Encoding moved = encoding;
    moved.axis = static_cast<int>(axis);
    bool fits = now[axis] == channels;
    for (std::int64_t i = 0; i < count && fits; ++i) {
      const std::int64_t from = source.empty() ? i : source[i];
      fits = from < 0 || moved.channel(i, now) == encoding.channel(from, old);
    }
    if (fits) return moved;
  }
  return {};
}

std::optional<Provenance> kept_provenance(const Op& op, const std::vector<Symbol>& inputs,
                                          const Shape& shape) {
  const auto elements = static_cast<std::size_t>(element_count(shape));
  if (const auto* move = std::get_if<Rearrange>(&op)) {
    const Symbol* origin = nullptr;
    std::int64_t first = 0, before = 0;
    for (const Symbol& input : inputs) {
      if (input.provenance && origin) return {};
      if (input.provenance) {
        origin = &input;
        first = before;
      }
      before += static_cast<std::int64_t>(input.constant->size());
    }
    if (!origin) return {};
    Provenance from = *origin->provenance;
    if (from.encoding && from.encoding->axis >= 0) {
      if (inputs.size() > 1) return {};
      from.encoding = moved_encoding(*from.encoding, origin->shape, shape, move->source);
      if (!from.encoding) return {};
    }
    std::vector<std::int32_t> source(elements, -1);
    for (std::size_t i = 0; i < elements; ++i) {
      const std::int64_t at = move->source[i] - first;
      const bool inside = at >= 0 && at < static_cast<std::int64_t>(origin->constant->size());
      if (inside) source[i] = origin->provenance->source[at];
    }
    from.source = std::move(source);
    if (from.encoding && covers_file(*origin->provenance) && !covers_file(from)) {
      from.codes = codes_in_file(*origin);
    }
    return from;
  }
  if (inputs.empty() || !inputs[0].provenance) return {};
  Provenance from = *inputs[0].provenance;
  if (const auto* quantize = std::get_if<Quantize>(&op)) {
    from.encoding = quantize->encoding;
    from.as_codes = true;
    from.codes.clear();
    return from;
  }
  if (std::holds_alternative<Dequantize>(op)) {
    from.as_codes = false;
    return from;
  }
  if (const auto* unary = std::get_if<Unary>(&op)) {
    if (from.encoding && unary->function != UnaryFunction::identity) return {};
    return from;
  }
  if (const auto* binary = std::get_if<Binary>(&op)) {
    if (elements != inputs[0].constant->size() || !is_one_number(inputs[1])) return {};
    if (!from.encoding) return from;
    const bool times = binary->function == BinaryFunction::multiply;
    if (from.as_codes || (!times && binary->function != BinaryFunction::divide)) return {};
    for (double& scale : from.encoding->scale) {
      scale = times ? scale * inputs[1].constant[0] : scale / inputs[1].constant[0];
    }
    return from;
  }
  return {};
}

}  // namespace flipscope
