// Reads fault lists.
#include "flipscope/fault/fault_list.h"

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <string_view>
#include <unordered_map>

#include "flipscope/model/csv_line.h"
#include "flipscope/model/file_bytes.h"
#include "flipscope/model/text.h"
#include "flipscope/numeric/error.h"

namespace flipscope {
namespace {

std::string_view trim(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

std::optional<std::int64_t> parse_integer(std::string_view text) {
  return parse_whole<std::int64_t>(trim(text));
}

struct Columns {
  int layer = -1, tensor = -1, tuple = -1, index = -1, bit = -1;
};

Columns read_header(const std::string& file, std::string_view line) {
  Columns columns;
  const std::vector<std::string> names = csv_fields(line);
  for (std::size_t i = 0; i < names.size(); ++i) {
    const std::string_view name = trim(names[i]);
    const int column = static_cast<int>(i);
    if (name == "Layer" || name == "layer") columns.layer = column;
    if (name == "tensor") columns.tensor = column;
    if (name == "TensorIndex") columns.tuple = column;
    if (name == "index") columns.index = column;
    if (name == "Bit" || name == "bit") columns.bit = column;
  }
  constexpr std::size_t kShown = 60;
  if (columns.layer < 0 || columns.bit < 0 || (columns.tuple < 0 && columns.index < 0)) {
    fail("faults",
         "{}:1: the header of a fault list names Layer, TensorIndex and Bit, or layer, index and "
         "bit; this one is '{}{}'",
         file, line.substr(0, kShown), line.size() > kShown ? "…" : "");
  }
  return columns;
}

/// Finds targets by the names that people give them.
class TargetNames {
 public:
  TargetNames(const FaultSpace& space, const std::vector<Part>& parts) : space_(space) {
    for (std::size_t t = 0; t < space.targets().size(); ++t) {
      const FaultTarget& target = space.targets()[t];
      const int id = static_cast<int>(t);
      by_both_[key(target.layer, target.tensor)].push_back(id);
      by_name_[target.tensor].push_back(id);
      if (std::ranges::find(parts, target.part) != parts.end()) {
        by_layer_[target.layer].push_back(id);
      }
      if (target.part == Part::weights) by_name_[target.layer + ".weight"].push_back(id);
      if (target.part == Part::biases) by_name_[target.layer + ".bias"].push_back(id);
    }
  }

  int find(const std::string& layer, const std::string& tensor, const std::string& where) const {
    if (!tensor.empty()) {
      if (const auto found = by_both_.find(key(layer, tensor)); found != by_both_.end()) {
        return found->second.front();
      }
      fail("faults", "{}: layer '{}' has no tensor '{}'{}", where, layer, tensor, known());
    }
    if (const auto found = by_layer_.find(layer); found != by_layer_.end()) {
      return only(found->second, layer, where);
    }
    if (const auto found = by_name_.find(layer); found != by_name_.end()) {
      return only(found->second, layer, where);
    }
    fail("faults", "{}: there is no layer '{}'{}", where, layer, known());
  }

 private:
  static std::string key(const std::string& layer, const std::string& tensor) {
    return layer + '\n' + tensor;
  }

  int only(const std::vector<int>& ids, const std::string& layer, const std::string& where) const {
    if (ids.size() == 1) return ids.front();
    std::vector<int> weights;
    for (const int id : ids) {
      if (space_.targets()[id].part == Part::weights) weights.push_back(id);
    }
    if (weights.size() == 1 || std::ranges::equal(ids, std::vector(ids.size(), ids.front()))) {
      return weights.size() == 1 ? weights.front() : ids.front();
    }
    std::vector<std::string> tensors;
    for (const int id : ids) tensors.push_back(space_.targets()[id].tensor);
    fail("faults", "{}: layer '{}' has several tensors; name one of {} in a column 'tensor'", where,
         layer, fmt::join(tensors, ", "));
  }

  std::string known() const {
    constexpr std::size_t kMost = 12;
    std::vector<std::string> layers;
    for (const FaultTarget& target : space_.targets()) {
      if (by_layer_.contains(target.layer) &&
          std::ranges::find(layers, target.layer) == layers.end()) {
        layers.push_back(target.layer);
      }
    }
    const bool more = layers.size() > kMost;
    if (more) layers.resize(kMost);
    return fmt::format("; layers are {}{}", fmt::join(layers, ", "), more ? ", …" : "");
  }

  const FaultSpace& space_;
  std::unordered_map<std::string, std::vector<int>> by_both_, by_name_, by_layer_;
};

std::int64_t flat_index(const std::string& text, const FaultTarget& target,
                        const std::string& where) {
  std::string_view rest = trim(text);
  if (rest.starts_with('(') && rest.ends_with(')')) rest = rest.substr(1, rest.size() - 2);
  Shape index;
  while (!trim(rest).empty()) {
    const auto comma = rest.find(',');
    const auto number = parse_integer(rest.substr(0, comma));
    if (!number) fail("faults", "{}: '{}' is not a tuple such as (3, 0, 2, 1)", where, text);
    index.push_back(*number);
    if (comma == std::string_view::npos) break;
    rest.remove_prefix(comma + 1);
  }
  bool inside = index.size() == target.shape.size();
  std::int64_t flat = 0;
  for (std::size_t a = 0; inside && a < index.size(); ++a) {
    inside = 0 <= index[a] && index[a] < target.shape[a];
    flat = flat * target.shape[a] + index[a];
  }
  if (!inside) {
    fail("faults", "{}: index {} is outside '{}', whose shape is {}", where, text, target.tensor,
         to_string(target.shape));
  }
  return flat;
}

}  // namespace

std::vector<FaultListEntry> read_fault_list(const std::string& file, const FaultSpace& space,
                                            const std::vector<Part>& parts) {
  const std::string bytes = read_file_bytes(file);
  const TargetNames names(space, parts);
  std::vector<FaultListEntry> entries;
  std::optional<Columns> columns;
  std::size_t line_number = 0;
  std::string_view rest = bytes;
  if (rest.starts_with("\xEF\xBB\xBF")) rest.remove_prefix(3);
  while (!rest.empty()) {
    const auto end = rest.find('\n');
    std::string_view line = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    ++line_number;
    if (trim(line).empty() || line.starts_with('#')) continue;
    if (!columns) {
      columns = read_header(file, line);
      continue;
    }
    const std::string where = fmt::format("{}:{}", file, line_number);
    const std::vector<std::string> fields = csv_fields(line);
    const auto field = [&](int column) -> std::string {
      if (column < 0) return {};
      if (static_cast<std::size_t>(column) >= fields.size()) {
        fail("faults", "{}: the line has {} fields, fewer than the header", where, fields.size());
      }
      return std::string(trim(fields[column]));
    };
    const int t = names.find(field(columns->layer), field(columns->tensor), where);
    const FaultTarget& target = space.targets()[t];
    FaultListEntry entry{line_number, {t, 0, 0}};
    if (columns->tuple >= 0) {
      entry.site.index = flat_index(field(columns->tuple), target, where);
    } else {
      const auto index = parse_integer(field(columns->index));
      if (!index || *index < 0 || *index >= target.elements) {
        fail("faults", "{}: index '{}' is outside '{}', which has {} elements", where,
             field(columns->index), target.tensor, target.elements);
      }
      entry.site.index = *index;
    }
    const auto bit = parse_integer(field(columns->bit));
    const int width = target.encoding.width(entry.site.index);
    if (!bit || *bit < 0 || *bit >= width) {
      if (!target.encoding.elements.empty()) {
        fail("faults", "{}: bit '{}' is outside element {} of '{}', which stores {} bits", where,
             field(columns->bit), entry.site.index, target.tensor, width);
      }
      fail("faults", "{}: bit '{}' is outside '{}', whose words have bits 0 to {}", where,
           field(columns->bit), target.tensor, width - 1);
    }
    entry.site.bit = static_cast<int>(*bit);
    entries.push_back(entry);
  }
  if (!columns) fail("faults", "{} is empty, and no fault list", file);
  return entries;
}

std::vector<int> targets_within(const FaultSpace& space, const FaultSpace& whole) {
  std::vector<int> within;
  for (const FaultTarget& wanted : whole.targets()) {
    const auto found = std::ranges::find_if(space.targets(), [&](const FaultTarget& target) {
      return target.part == wanted.part && target.id == wanted.id;
    });
    within.push_back(
        found == space.targets().end() ? -1 : static_cast<int>(found - space.targets().begin()));
  }
  return within;
}

bool share_layers(const std::vector<FaultTarget>& targets) {
  std::set<std::string> layers;
  return !std::ranges::all_of(
      targets, [&](const FaultTarget& target) { return layers.insert(target.layer).second; });
}

std::string tensor_index(const Shape& shape, std::int64_t index) {
  std::vector<std::int64_t> tuple;
  for (const std::int64_t step : strides_of(shape)) {
    tuple.push_back(index / step);
    index %= step;
  }
  return fmt::format("({}{})", fmt::join(tuple, ", "), tuple.size() == 1 ? "," : "");
}

}  // namespace flipscope
