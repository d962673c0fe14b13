#include "flipscope/model/element_formats.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "flipscope/numeric/error.h"

namespace flipscope {
namespace {

constexpr int kWidest = 32;

/// Centered codes of all elements, each in its own format, as the quantizer gives them.
std::vector<double> codes_of(GraphBuilder& builder, const std::string& node, const Symbol& x,
                             const ElementFormats& formats) {
  std::map<std::pair<int, bool>, std::vector<std::size_t>> alike;
  for (std::size_t i = 0; i < x.constant->size(); ++i) {
    alike[{formats.bits[i], formats.is_signed[i]}].push_back(i);
  }
  std::vector<double> codes(x.constant->size(), 0.0);
  for (const auto& [form, members] : alike) {
    if (form.first == 0) continue;
    Encoding encoding{.format = formats.format, .scale = {}, .zero_point = {}, .axis = 0};
    encoding.format.kind = NumberFormat::Kind::integer;
    encoding.format.bits = form.first;
    encoding.format.is_signed = form.second;
    Tensor some{.type = x.type, .shape = {std::ssize(members)}, .data = {}};
    for (const std::size_t i : members) {
      some.data.push_back(x.constant[i]);
      encoding.scale.push_back(formats.scale[i]);
      encoding.zero_point.push_back(formats.zero_point[i]);
    }
    const Symbol rounded = builder.add(node, Quantize{encoding, false}, {builder.literal(some)});
    for (std::size_t k = 0; k < members.size(); ++k) {
      // float32 may round the largest code of a wide format up, out of it.
      const double zero = encoding.zero_point[k];
      codes[members[k]] = std::clamp(rounded.constant[k], lowest(encoding.format) - zero,
                                     highest(encoding.format) - zero);
    }
  }
  return codes;
}

/// Where each element's step lies above the finest; empty where some lies between powers of two.
std::vector<int> places_on_grid(const ElementFormats& formats, double finest) {
  std::vector<int> places;
  for (std::size_t i = 0; i < formats.bits.size(); ++i) {
    int exponent = 1;
    const double steps = formats.bits[i] == 0 ? 1 : formats.scale[i] / finest;
    if (std::frexp(steps, &exponent) != 0.5 || formats.zero_point[i] != 0) return {};
    places.push_back(exponent - 1);
  }
  return places;
}

/// The common word, and what of it each element stores.
Encoding grid_of(const Symbol& x, const ElementFormats& formats) {
  double finest = HUGE_VAL;
  bool any_signed = false;
  for (std::size_t i = 0; i < formats.bits.size(); ++i) {
    if (formats.bits[i] == 0) continue;
    finest = std::min(finest, formats.scale[i]);
    any_signed = any_signed || formats.is_signed[i];
  }
  Encoding encoding;
  std::vector<int> places = places_on_grid(formats, finest);
  if (!places.empty()) {
    encoding.scale = {finest == HUGE_VAL ? 1.0 : finest};
  } else if (formats.axis >= 0) {
    places.assign(formats.bits.size(), 0);
    encoding.axis = formats.axis;
    const auto channels = static_cast<std::size_t>(x.shape[formats.axis]);
    encoding.scale.assign(channels, 1.0);
    encoding.zero_point.assign(channels, 0.0);
    for (std::size_t i = 0; i < formats.bits.size(); ++i) {
      const std::size_t channel = encoding.channel(static_cast<std::int64_t>(i), x.shape);
      encoding.scale[channel] = formats.scale[i];
      encoding.zero_point[channel] = formats.zero_point[i];
    }
  } else {
    throw Error(
        "scales that vary along more than one axis must be powers of two times the smallest, and "
        "their zero points 0");
  }
  int width = 1;
  for (std::size_t i = 0; i < formats.bits.size(); ++i) {
    const bool room_for_sign = any_signed && !formats.is_signed[i];
    if (formats.bits[i] > 0) width = std::max(width, places[i] + formats.bits[i] + room_for_sign);
  }
  if (width > kWidest) {
    throw Error(
        fmt::format("its elements' formats span {} bits from the finest step to the "
                    "highest bit; words have up to {}",
                    width, kWidest));
  }
  encoding.format = integer_format(width, any_signed);
  for (std::size_t i = 0; i < formats.bits.size(); ++i) {
    const auto lowest = static_cast<std::uint8_t>(formats.bits[i] > 0 ? places[i] : 0);
    encoding.elements.push_back(
        {lowest, static_cast<std::uint8_t>(formats.bits[i]), formats.is_signed[i]});
  }
  const bool whole = std::ranges::all_of(encoding.elements, [&](const ElementBits& element) {
    return element.count == width && element.is_signed == any_signed;
  });
  if (whole) encoding.elements.clear();
  return encoding;
}

/// Every element of the file once.
bool shows_file(const Provenance& from) {
  return from.source->size() == from.file_values->size() && covers_file(from);
}

}  // namespace

Symbol quantize_elements(GraphBuilder& builder, const std::string& node, const Symbol& x,
                         const ElementFormats& formats) {
  Encoding encoding = grid_of(x, formats);
  const std::vector<double> codes = codes_of(builder, node, x, formats);
  Symbol result = x;
  std::vector<double>& numbers = result.constant.edit();
  for (std::size_t i = 0; i < codes.size(); ++i) numbers[i] = codes[i] * formats.scale[i];
  if (!x.provenance) return result;
  const bool changed = result.constant != x.constant;
  if (!shows_file(*x.provenance)) make_own_origin(result, node);
  Provenance& from = *result.provenance;
  const std::vector<ElementBits> elements = encoding.elements;
  for (std::size_t i = 0; i < elements.size(); ++i) {
    encoding.elements[static_cast<std::size_t>(from.source[i])] = elements[i];
  }
  from.encoding = std::move(encoding);
  from.as_codes = false;
  from.codes.clear();
  if (changed) from.changed_by = node;
  return result;
}

}  // namespace flipscope
