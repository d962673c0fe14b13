// Collects the tensors whose bits can be struck, and numbers their bits.
#include "flipscope/fault/fault_space.h"

#include <algorithm>
#include <cassert>
#include <iterator>
#include <set>
#include <utility>

#include "flipscope/model/text.h"
#include "flipscope/numeric/error.h"

namespace flipscope {
namespace {

constexpr Part kParts[] = {Part::weights,     Part::biases,   Part::normalization,
                           Part::activations, Part::operands, Part::inputs};

/// Axis of the constant operand that counts the output channels of a weighted node, −1: none.
int constant_channel_axis(const Node& node, std::size_t input, const Shape& shape) {
  const int rank = static_cast<int>(shape.size());
  if (std::holds_alternative<Convolution>(node.op)) return 0;
  if (const auto* op = std::get_if<TransposedConvolution>(&node.op)) {
    return op->groups == 1 || input > 1 ? (input == 1 ? 1 : 0) : -1;
  }
  if (std::holds_alternative<MatrixProduct>(node.op)) {
    if (input == 0) return rank >= 2 ? rank - 2 : -1;
    return input == 1 && rank < 2 ? -1 : rank - 1;
  }
  if (std::holds_alternative<BatchNormalization>(node.op)) return 0;
  // Addends and factors that broadcast over space keep one axis longer than 1.
  int axis = -1;
  for (int a = 0; a < rank; ++a) {
    if (shape[a] == 1) continue;
    if (axis >= 0) return -1;
    axis = a;
  }
  return axis;
}

/// The axis of the stored tensor that runs with `axis` of the constant, read as shape `read`; −1:
/// none.
int stored_axis(const Constant& constant, const Shape& read, int axis, const Shape& stored) {
  if (axis < 0) return -1;
  if (constant.source.empty() && read == stored) return axis;
  const Shape step = strides_of(read);
  const Shape stored_step = strides_of(stored);
  const std::int64_t length = read[axis];
  const std::int64_t elements = element_count(read);
  for (std::size_t a = 0; a < stored.size(); ++a) {
    if (stored[a] != length) continue;
    bool runs = true;
    for (std::int64_t i = 0; runs && i < elements; ++i) {
      const std::int64_t from = constant.source.empty() ? i : constant.source[i];
      if (from < 0) continue;
      runs = from / stored_step[a] % stored[a] == i / step[axis] % length;
    }
    if (runs) return static_cast<int>(a);
  }
  return -1;
}

class Collector {
 public:
  Collector(const Graph& graph, const FaultSpaceOptions& options)
      : graph_(graph), options_(options), ranges_(parse_bit_ranges(options.bits)) {}

  std::vector<FaultTarget> collect() {
    for (const int value : graph_.inputs) {
      add_value(Part::inputs, value, graph_.values[value].name);
    }
    for (std::size_t n = 0; n < graph_.nodes.size(); ++n) {
      const Node& node = graph_.nodes[n];
      const bool weighted = is_weighted(node);
      if (weighted) {
        const Input& data = node.inputs[data_operand(node)];
        if (data.kind == Input::Kind::value) add_value(Part::activations, data.id, node.layer);
      }
      add_stored(node);
      if (weighted) add_operands(static_cast<int>(n));
    }
    explain_nothing();
    return std::move(targets_);
  }

 private:
  void add_value(Part part, int value, const std::string& layer) {
    if (!seen_.insert({part, value}).second) return;
    const Value& v = graph_.values[value];
    FaultTarget target{part, value, layer, v.name, element_count(v.shape), v.encoding, {}, v.shape};
    if (v.shape.size() >= 2) target.channel_axis = 1;
    add(std::move(target));
  }

  void add_stored(const Node& node) {
    for (std::size_t input = 0; input < node.inputs.size(); ++input) {
      if (node.inputs[input].kind != Input::Kind::constant) continue;
      const Constant& constant = graph_.constants[node.inputs[input].id];
      const StoredTensor& stored = graph_.stored[constant.stored];
      const Shape& read = node.inputs[input].shape;
      if (stored.part == Part::none || !seen_.insert({stored.part, constant.stored}).second) {
        continue;
      }
      FaultTarget target{stored.part,
                         constant.stored,
                         stored.layer,
                         stored.name,
                         element_count(stored.shape),
                         stored.encoding,
                         {},
                         stored.shape};
      target.channel_axis =
          stored_axis(constant, read, constant_channel_axis(node, input, read), stored.shape);
      add(std::move(target));
    }
  }

  void add_operands(int n) {
    const Node& node = graph_.nodes[n];
    if (!wants(Part::operands) || node.inputs[data_operand(node)].kind != Input::Kind::value) {
      return;
    }
    const Value& value = graph_.values[node.inputs[data_operand(node)].id];
    const std::int64_t count = operand_count(graph_, n);
    const std::string name = value.name + "@" + (node.name.empty() ? node.layer : node.name);
    add({Part::operands, n, node.layer, name, count, value.encoding, {}, {count}});
  }

  bool wants(Part part) const {
    return std::ranges::find(options_.parts, part) != options_.parts.end();
  }

  void add(FaultTarget target) {
    if (!wants(target.part)) return;
    if (std::ranges::find(layers_, target.layer) == layers_.end()) layers_.push_back(target.layer);
    if (!options_.layers.empty()) {
      bool matches = false;
      for (const std::string& glob : options_.layers) {
        if (!matches_glob(target.layer, glob)) continue;
        matches = true;
        matched_.insert(glob);
      }
      if (!matches) return;
    }
    allow_bits(target, {});
    chosen_any_layer_ = chosen_any_layer_ || target.size() > 0;
    allow_bits(target, ranges_);
    if (!target.bits.empty() && target.elements > 0) targets_.push_back(std::move(target));
  }

  void explain_nothing() const {
    for (const std::string& glob : options_.layers) {
      if (!matched_.contains(glob)) {
        fail("faults", "--layers '{}' matches no layer; there are: {}", glob,
             layers_.empty() ? "none" : fmt::format("{}", fmt::join(layers_, ", ")));
      }
    }
    if (!targets_.empty()) return;
    std::vector<std::string> parts;
    for (const Part part : options_.parts) parts.emplace_back(to_string(part));
    if (!chosen_any_layer_) {
      fail("faults", "--in {}: '{}' has no such stored values", fmt::join(parts, ","), graph_.name);
    }
    fail("faults", "--bits '{}' fits no tensor: all words are narrower", options_.bits);
  }

  const Graph& graph_;
  const FaultSpaceOptions& options_;
  std::vector<BitRange> ranges_;
  std::vector<FaultTarget> targets_;
  std::set<std::pair<Part, int>> seen_;
  std::vector<std::string> layers_;
  std::set<std::string> matched_;
  bool chosen_any_layer_ = false;
};

}  // namespace

FaultSpace::FaultSpace(const Graph& graph, const FaultSpaceOptions& options)
    : FaultSpace(Collector(graph, options).collect()) {}

FaultSpace::FaultSpace(std::vector<FaultTarget> targets) : targets_(std::move(targets)) {
  std::uint64_t total = 0;
  first_.reserve(targets_.size() + 1);
  for (const FaultTarget& target : targets_) {
    first_.push_back(total);
    std::vector<std::uint64_t>& first = first_of_element_.emplace_back();
    if (target.bits_of_width.empty()) {
      total += static_cast<std::uint64_t>(target.elements) * target.bits.size();
      continue;
    }
    std::uint64_t within = 0;
    for (std::int64_t i = 0; i < target.elements; ++i) {
      first.push_back(within);
      within += target.bits_of(i).size();
    }
    first.push_back(within);
    total += within;
  }
  first_.push_back(total);
}

FaultSite FaultSpace::site(std::uint64_t number) const {
  assert(number < size());
  const auto after = std::ranges::upper_bound(first_, number);
  const auto t = static_cast<std::size_t>(after - first_.begin()) - 1;
  const std::uint64_t within = number - first_[t];
  const std::vector<std::uint64_t>& first = first_of_element_[t];
  if (!first.empty()) {
    const std::int64_t index = std::ranges::upper_bound(first, within) - first.begin() - 1;
    const std::uint64_t position = within - first[static_cast<std::size_t>(index)];
    return {static_cast<int>(t), index, targets_[t].bits_of(index)[position]};
  }
  const std::vector<int>& bits = targets_[t].bits;
  return {static_cast<int>(t), static_cast<std::int64_t>(within / bits.size()),
          bits[within % bits.size()]};
}

std::uint64_t FaultSpace::number(const FaultSite& site) const {
  const std::vector<int>& bits = targets_[site.target].bits_of(site.index);
  const auto bit = std::ranges::lower_bound(bits, site.bit);
  assert(bit != bits.end() && *bit == site.bit);
  const std::vector<std::uint64_t>& first = first_of_element_[site.target];
  const std::uint64_t word = first.empty() ? static_cast<std::uint64_t>(site.index) * bits.size()
                                           : first[static_cast<std::size_t>(site.index)];
  return first_[site.target] + word + static_cast<std::uint64_t>(bit - bits.begin());
}

std::optional<Part> part_named(std::string_view name) {
  for (const Part part : kParts) {
    if (name == to_string(part)) return part;
  }
  return {};
}

FaultSpace whole_space(const Graph& graph) {
  FaultSpaceOptions everything;
  everything.parts.assign(std::begin(kParts), std::end(kParts));
  return FaultSpace(graph, everything);
}

}  // namespace flipscope
