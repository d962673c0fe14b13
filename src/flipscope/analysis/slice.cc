#include "flipscope/analysis/slice.h"

#include <algorithm>
#include <set>

#include "flipscope/numeric/error.h"

namespace flipscope {
namespace {

/// Nodes first … last at which a fault enters.
struct SliceEntry {
  int first = 0, last = 0;
};

void include(SliceEntry& entry, int node, bool& any) {
  entry = any ? SliceEntry{std::min(entry.first, node), std::max(entry.last, node)}
              : SliceEntry{node, node};
  any = true;
}

SliceEntry entry_of(const Graph& graph, const FaultTarget& target) {
  SliceEntry entry;
  bool any = false;
  const bool is_value = target.part == Part::activations || target.part == Part::inputs;
  if (target.part == Part::operands) return {target.id, target.id};
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    const int node = static_cast<int>(n);
    if (is_value && graph.nodes[n].output == target.id) return {node, node};
    for (const Input& input : graph.nodes[n].inputs) {
      const bool reads = is_value ? input.kind == Input::Kind::value && input.id == target.id
                                  : input.kind == Input::Kind::constant &&
                                        graph.constants[input.id].stored == target.id;
      if (reads) include(entry, node, any);
    }
  }
  // An input of the graph is struck before everything.
  if (is_value) entry.first = 0;
  return entry;
}

/// Nodes up to the one that makes `output`.
int nodes_before(const Graph& graph, int output) {
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    if (graph.nodes[n].output == output) return static_cast<int>(n) + 1;
  }
  return 0;
}

/// What nodes first … last − 1 read from outside, and what they make that is read later.
void find_cut(const Graph& graph, int output, Slice& slice) {
  std::set<int> made, inputs, read_later;
  for (int n = slice.first; n < slice.last; ++n) {
    for (const Input& input : graph.nodes[n].inputs) {
      if (input.kind == Input::Kind::value && !made.contains(input.id)) inputs.insert(input.id);
    }
    made.insert(graph.nodes[n].output);
  }
  for (std::size_t n = slice.last; n < graph.nodes.size(); ++n) {
    for (const Input& input : graph.nodes[n].inputs) {
      if (input.kind == Input::Kind::value) read_later.insert(input.id);
    }
  }
  slice.inputs.assign(inputs.begin(), inputs.end());
  for (int n = slice.first; n < slice.last; ++n) {
    const int value = graph.nodes[n].output;
    if (value != output && !read_later.contains(value)) continue;
    slice.outputs.push_back(value);
    slice.elements += element_count(graph.values[value].shape);
  }
}

/// The slice that ends at the sums of the weighted node that a target belongs to.
Slice slice_of_sums(const Graph& graph, const FaultTarget& target, const SliceEntry& entry) {
  const Node& node = graph.nodes[entry.first];
  if (entry.first != entry.last || !is_weighted(node)) {
    fail("slice",
         "'{}' is read outside one weighted layer, so that its faults do more than change sums; "
         "slices that end at sums are for --in weights",
         target.tensor);
  }
  Slice slice{node.layer, entry.first, entry.first + 1, {}, {}, 0};
  find_cut(graph, node.output, slice);
  return slice;
}

}  // namespace

SliceEnd parse_slice_end(const std::string& text) {
  if (text == "layer") return SliceEnd::layer;
  if (text == "sums") return SliceEnd::sums;
  fail("usage", "--slice-end is layer or sums, not \"{}\"", text);
}

Slicing slice_network(const Graph& graph, const FaultSpace& space, int output, SliceEnd end) {
  std::vector<SliceEntry> entries;
  for (const FaultTarget& target : space.targets()) entries.push_back(entry_of(graph, target));
  Slicing slicing;
  if (end == SliceEnd::sums) {
    for (std::size_t t = 0; t < entries.size(); ++t) {
      Slice slice = slice_of_sums(graph, space.targets()[t], entries[t]);
      const auto same = std::ranges::find(slicing.slices, slice.first, &Slice::first);
      slicing.slice_of.push_back(static_cast<int>(same - slicing.slices.begin()));
      if (same == slicing.slices.end()) slicing.slices.push_back(std::move(slice));
    }
    return slicing;
  }
  const int nodes = nodes_before(graph, output);
  std::vector<int> starts{0};
  bool weighted = false;
  for (int n = 0; n < nodes; ++n) {
    if (!is_weighted(graph.nodes[n])) continue;
    const bool inside = std::ranges::any_of(
        entries, [&](const SliceEntry& entry) { return entry.first < n && n <= entry.last; });
    if (weighted && !inside) starts.push_back(n);
    weighted = true;
  }
  for (std::size_t s = 0; s < starts.size(); ++s) {
    Slice slice;
    slice.first = starts[s];
    slice.last = s + 1 < starts.size() ? starts[s + 1] : nodes;
    const auto begin = graph.nodes.begin();
    const auto head = std::find_if(begin + slice.first, begin + slice.last, is_weighted);
    slice.layer = head == begin + slice.last ? graph.nodes[slice.first].layer : head->layer;
    find_cut(graph, output, slice);
    slicing.slices.push_back(std::move(slice));
  }
  for (const SliceEntry& entry : entries) {
    const auto after = std::ranges::upper_bound(starts, entry.first);
    slicing.slice_of.push_back(static_cast<int>(after - starts.begin()) - 1);
  }
  return slicing;
}

}  // namespace flipscope
