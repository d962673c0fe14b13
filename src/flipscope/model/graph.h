// A network as Flipscope runs it: stored tensors, the constants that read them, values and nodes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "flipscope/numeric/number_format.h"
#include "flipscope/numeric/tensor.h"
#include "flipscope/ops/op.h"

namespace flipscope {

/// What kind of register holds a stored thing; the words of --in.
enum class Part { weights, biases, normalization, activations, operands, inputs, none };

const char* to_string(Part part);

/// True where it has words in the model file.
bool is_stored(Part part);

/// What the hardware stores of the model file: code words in the file's own order. Faults in
/// weights, biases and normalization parameters strike here, and every consumer sees them.
struct StoredTensor {
  std::string name;   ///< as the model file calls it: "layer1.0.conv1.weight", "conv2d_0_m/kernel"
  std::string layer;  ///< as people know it: "layer1.0.conv1", "conv2d_0_m"
  Part part = Part::none;  ///< none: no fault strikes it (shape arithmetic, quantizer scales)
  Shape shape;
  Encoding encoding;
  std::vector<Word> words;  ///< C order
  /// C order: the numbers of the file that a quantizer made the words of; empty where none did.
  std::vector<float> latent{};
};

/// How a node reads a stored tensor: element i is
/// (decode(word[source[i]]) − zero_point)·scale, with the stored tensor's encoding. An empty
/// `source` is the identity; where it is −1 (a pad, a masked place) the element reads no word and
/// is filled[i]. `scale` replaces the encoding's: 1 where the node sums codes, the (integer) factor
/// that brings a bias code into the units of the sum, or that of a second reader of the same words.
struct Constant {
  int stored = -1;
  Shape shape;
  std::vector<std::int32_t> source;
  std::vector<double> scale;     ///< one, or one per index along the encoding's axis
  std::vector<double> filled{};  ///< [element]; empty where all of them read words
};

/// A runtime value: an input of the model or the output of a node.
struct Value {
  std::string name;
  Shape shape;               ///< at batch size 1
  Encoding encoding;         ///< how a register holds it: float32, or the code of a Quantize node
  bool holds_codes = false;  ///< lanes hold centered codes, decode(word) − zero_point
};

/// One input of a node, under the shape in which the node reads it (same elements, C order).
struct Input {
  enum class Kind { none, value, constant } kind = Kind::none;
  int id = -1;
  Shape shape;

  bool operator==(const Input&) const = default;
};

struct Node {
  std::string name;
  std::string layer;  ///< of its stored weights, else its own name
  Op op;
  std::vector<Input> inputs;
  int output = -1;  ///< index of a value
};

/// How samples lie in the model's own files.
enum class Layout { channel_first, channel_last };

/// Nodes are in an order in which every value is made before it is read.
struct Graph {
  std::string name;
  Layout layout = Layout::channel_first;
  std::vector<StoredTensor> stored;
  std::vector<Constant> constants;
  std::vector<Value> values;
  std::vector<Node> nodes;
  std::vector<int> inputs;   ///< indices of values
  std::vector<int> outputs;  ///< indices of values
};

/// The real number (decode(word) − zero_point)·scale that `word` stands for as element i of a
/// tensor.
double real_value(const StoredTensor& stored, std::int64_t i, Word word);

/// The number that element i of a constant stands for when its stored word (if any) is `word`.
double read_element(const Graph& graph, const Constant& constant, std::int64_t i, Word word);

/// All elements of a constant, from the stored (golden) words.
std::vector<double> read_constant(const Graph& graph, const Constant& constant);

/// True where the operator sums products with a constant operand (a "weighted layer").
bool is_weighted(const Node& node);

/// Throws Error where the graph breaks a law: an index out of range, a value read before it is
/// made, a shape that output_shape() does not give.
void check(const Graph& graph);

}  // namespace flipscope
