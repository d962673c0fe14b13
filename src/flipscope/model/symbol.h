// A value on its way through an importer, and where a constant's elements are stored.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "flipscope/numeric/number_format.h"
#include "flipscope/numeric/shared_vector.h"
#include "flipscope/numeric/tensor.h"
#include "flipscope/ops/op.h"

namespace flipscope {

/// Where a constant's elements are stored: an initializer of the file.
struct Provenance {
  std::string name;                   ///< the initializer's name
  Shape shape;                        ///< its shape in the file
  SharedVector<double> file_values;   ///< its real values as stored (before any quantizer)
  SharedVector<std::int32_t> source;  ///< file index of every element, −1: not from the file
  ElementType type = ElementType::float32;  ///< of the initializer
  /// The node whose arithmetic gave the elements other values than the file's; empty: none did.
  std::string changed_by{};
  bool is_computed = false;  ///< arithmetic beside quantizers gave the elements other values
  /// The last quantizer on the constant path, its scale and zero-point axis in the *symbol's* axes,
  /// its elements those of the file; empty: stored as float of the initializer's own type.
  std::optional<Encoding> encoding;
  bool as_codes = false;  ///< the symbol's elements are centered codes, not real numbers
  /// Centered codes of all elements of the file, where the symbol shows only some of them.
  std::vector<double> codes{};
};

/// A value on its way through an importer.
struct Symbol {
  Shape shape;
  ElementType type = ElementType::float32;
  bool present = true;            ///< false: an optional input that is left out
  int value = -1;                 ///< index of Graph::values, or −1
  SharedVector<double> constant;  ///< the elements, where value is −1
  std::optional<Provenance> provenance;

  bool is_constant() const { return present && value < 0; }
};

Symbol absent();

/// The symbol as if the file held it as it is, under this name.
void make_own_origin(Symbol& symbol, const std::string& name);

/// The name under which the symbol's elements are stored where they are not as the file has them.
const std::string& own_name(const Provenance& from);

/// True where the symbol shows every element of its initializer, among others perhaps.
bool covers_file(const Provenance& from);

/// The axis of the file's shape along which the symbol's per-channel parameters lie, or −1.
int file_axis(const Symbol& symbol, const Encoding& encoding);

/// Per-channel parameters of a constant of shape `old` after its elements moved: element i of shape
/// `now` was element source[i] (empty: i). Empty where they lie along no axis any more.
std::optional<Encoding> moved_encoding(const Encoding& encoding, const Shape& old, const Shape& now,
                                       const std::vector<std::int32_t>& source);

/// The provenance of the result of an operator on constants, for operators that keep it; empty
/// where it is lost.
std::optional<Provenance> kept_provenance(const Op& op, const std::vector<Symbol>& inputs,
                                          const Shape& shape);

}  // namespace flipscope
