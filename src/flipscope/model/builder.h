// Builds a Graph from a model file's operators, folding whatever is constant.
//
// An importer works with Symbols. A symbol is a runtime value of known shape, or a constant that
// still knows which stored words its elements come from. Adding an operator whose inputs are all
// constant computes it on the spot; so shape arithmetic disappears, and a weight that passes a
// quantizer, a transpose and a reshape arrives at its layer with a map to its stored words.
#pragma once

#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "flipscope/model/graph.h"
#include "flipscope/model/symbol.h"

namespace flipscope {

class GraphBuilder {
 public:
  /// `part` names the importer in messages: "onnx", "keras".
  explicit GraphBuilder(std::string part, Layout layout);

  Symbol add_input(const std::string& name, const Shape& shape);

  /// A constant without a register (attributes, shapes, scales).
  Symbol literal(const Tensor& tensor) const;

  /// An initializer of the file: it has registers if a layer comes to read it.
  Symbol initializer(const std::string& name, const Tensor& tensor) const;

  /// Adds one operator, or computes it where all inputs are constant. `node` names the file's node
  /// in messages. Rearrange, Quantize and Dequantize of a constant keep its provenance (Quantize
  /// sets its encoding); so does any element-wise operator whose other inputs are literals of one
  /// element as long as nothing was quantized yet; other operators lose it.
  Symbol add(const std::string& node, Op op, std::vector<Symbol> inputs,
             std::optional<ElementType> type = {});

  /// The same elements under another shape: no operator is needed, values alias.
  Symbol reshape(const Symbol& symbol, const Shape& shape);

  /// Real → codes → real, as fake quantization means it: Quantize, then Dequantize.
  Symbol fake_quantize(const std::string& node, const Symbol& x, const Encoding& encoding,
                       bool round_first);

  /// Finishes: outputs, layer names, parts, removal of what no output needs, check().
  Graph finish(const std::string& name, const std::vector<Symbol>& outputs,
               const std::vector<std::string>& output_names);

 private:
  Symbol fold(const std::string& node, const Op& op, const std::vector<Symbol>& inputs,
              const Shape& shape, ElementType type) const;
  Input use(const Symbol& symbol);
  int store(const Symbol& symbol, std::vector<std::int32_t>& source);

  std::string part_;
  Graph graph_;
  std::unordered_map<std::string, int> stored_by_key_;
};

}  // namespace flipscope
