// All bits that a fault may strike, numbered: layers in model order, elements in C order, bits from
// the least significant.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "flipscope/fault/bit_range.h"
#include "flipscope/fault/fault.h"
#include "flipscope/model/graph.h"

namespace flipscope {

/// A tensor whose bits can be struck.
struct FaultTarget {
  Part part = Part::weights;
  /// Weights, biases, normalization: index of Graph::stored. Activations, inputs: index of
  /// Graph::values. Operands: index of Graph::nodes.
  int id = -1;
  std::string layer;
  std::string tensor;         ///< operands: value@node
  std::int64_t elements = 0;  ///< operands: (output element, tap) pairs, padded taps left out
  Encoding encoding;
  /// The positions that --bits allows, ascending; where elements have formats of their own, in any
  /// of them.
  std::vector<int> bits;
  Shape shape;            ///< as stored, C order; operands: one axis
  int channel_axis = -1;  ///< axis of `shape` that counts output channels; −1: none
  /// [stored bits] the positions that --bits allows in an element of so many, where elements have
  /// formats of their own; else empty.
  std::vector<std::vector<int>> bits_of_width{};

  /// The positions of element `index` that --bits allows, ascending.
  const std::vector<int>& bits_of(std::int64_t index) const {
    return bits_of_width.empty() ? bits
                                 : bits_of_width[static_cast<std::size_t>(encoding.width(index))];
  }
  bool has(std::int64_t index, int bit) const;
  /// Distance from the element's most significant bit.
  int from_msb(std::int64_t index, int bit) const { return encoding.width(index) - 1 - bit; }

  struct Width {
    int width = 0;
    std::uint64_t elements = 0;              ///< that store so many bits
    const std::vector<int>* bits = nullptr;  ///< allowed in each of them
  };
  /// Ascending.
  std::vector<Width> widths() const;
  /// Bits that may be struck, and how many elements have one at this position.
  std::uint64_t size() const;
  std::uint64_t size_at(int bit) const;
};

/// Sets what `ranges` allow of a target whose encoding is known.
void allow_bits(FaultTarget& target, const std::vector<BitRange>& ranges);

/// The part that to_string() calls so.
std::optional<Part> part_named(std::string_view name);

/// What --in, --layers and --bits say.
struct FaultSpaceOptions {
  std::vector<Part> parts{Part::weights};
  std::vector<std::string> layers;  ///< globs; empty: all
  std::string bits;                 ///< "", "0-5", "3", "0,7", "msb:2"
};

class FaultSpace {
 public:
  /// Targets come as the nodes do, each once, at its first reader: inputs of the graph, then of
  /// every node the activation it reads, its stored tensors, its operands. The layer of an
  /// activation is that of its first weighted reader, the layer of an input is its own name.
  /// Throws Error where a glob matches no layer (the layers are listed), a bit range fits no
  /// tensor, or nothing is left.
  FaultSpace(const Graph& graph, const FaultSpaceOptions& options);

  /// The space of these targets, in this order.
  explicit FaultSpace(std::vector<FaultTarget> targets);

  const std::vector<FaultTarget>& targets() const { return targets_; }
  std::uint64_t size() const { return first_.back(); }
  /// Number of the target's first bit.
  std::uint64_t first(int target) const { return first_[static_cast<std::size_t>(target)]; }
  FaultSite site(std::uint64_t number) const;
  std::uint64_t number(const FaultSite& site) const;

 private:
  std::vector<FaultTarget> targets_;
  std::vector<std::uint64_t> first_;  ///< of each target, and the total
  /// [target][element], and the target's size: its first bit's number within the target; empty
  /// where elements are equally wide.
  std::vector<std::vector<std::uint64_t>> first_of_element_;
};

/// Every bit of every part that a graph has.
FaultSpace whole_space(const Graph& graph);

/// The input of a weighted node that is not its constant operand: 0 or 1.
int data_operand(const Node& node);

/// What one operand site reads: element `input` of the activation, for element `output` of the
/// node's output, by its tap `tap` (index into the kernel [C/groups, kernel…], or k).
struct OperandRead {
  std::int64_t output = 0;
  std::int64_t input = 0;
  std::int64_t tap = 0;
};

/// Number of operand sites of a weighted node, and the read behind one of them.
std::int64_t operand_count(const Graph& graph, int node);
OperandRead operand_read(const Graph& graph, int node, std::int64_t index);

/// Multiply-adds of one sample in a node; 0 where it is not weighted.
double multiply_adds(const Graph& graph, int node);

}  // namespace flipscope
