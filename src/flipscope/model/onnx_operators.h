// One ONNX node on its way into a Graph, and the table of all operators that can go.
#pragma once

#include <initializer_list>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "flipscope/model/builder.h"
#include "flipscope/model/onnx_file.h"
#include "flipscope/numeric/error.h"

namespace flipscope {

/// A node with its inputs as symbols. Getters of attributes remember what was asked for, so that an
/// attribute that no converter understands is an error and not a silent difference.
class OnnxCall {
 public:
  OnnxCall(GraphBuilder& graph_builder, const OnnxNode& onnx_node, std::int64_t opset_version)
      : builder(graph_builder), node(onnx_node), opset(opset_version) {}

  GraphBuilder& builder;
  const OnnxNode& node;
  std::int64_t opset;
  std::vector<Symbol> inputs;
  /// Zero points of the inputs whose values are centered codes (the integer minus its zero point),
  /// for operators in `carries_codes`; 0 elsewhere.
  std::vector<double> zero_points;
  /// Zero point of the outputs, where they are centered codes.
  double output_zero_point = 0;
  std::int64_t batch = 1;  ///< the batch of the file, where the import made it 1

  /// Throws Error with the text; the caller of the converter puts file and node in front.
  template <typename... Args>
  [[noreturn]] static void refuse(fmt::format_string<Args...> text, Args&&... args) {
    throw Error(fmt::format(text, std::forward<Args>(args)...));
  }

  bool has(std::size_t input) const { return input < inputs.size() && inputs[input].present; }
  /// The input; refuses where it is missing.
  const Symbol& in(std::size_t input) const;
  Symbol optional(std::size_t input) const { return has(input) ? inputs[input] : absent(); }
  std::int64_t rank(std::size_t input) const {
    return static_cast<std::int64_t>(in(input).shape.size());
  }

  bool has_attribute(const char* name) const;
  std::int64_t integer(const char* name, std::int64_t otherwise);
  double number(const char* name, double otherwise);
  std::string text(const char* name, const char* otherwise);
  std::vector<std::int64_t> integers(const char* name,
                                     const std::vector<std::int64_t>& otherwise = {});
  std::vector<double> numbers(const char* name, const std::vector<double>& otherwise = {});
  const Tensor& tensor(const char* name);
  /// The input's own numbers, where its values are centered codes.
  Symbol decoded(std::size_t input);

  /// Attributes without a meaning for inference.
  void ignore(std::initializer_list<const char*> names);
  /// Refuses where an attribute was neither asked for nor ignored.
  void check_attributes() const;

  /// Values of an input that must be a constant; `what` names it in the message.
  const std::vector<double>& constant(std::size_t input, const char* what) const;
  std::vector<std::int64_t> constant_integers(std::size_t input, const char* what) const;
  double constant_scalar(std::size_t input, const char* what) const;
  /// An integer list that was an attribute before it was an input.
  std::optional<std::vector<std::int64_t>> integers_or_input(const char* name, std::size_t input);

  /// A non-negative axis of `axis_rank` axes; refuses one out of range.
  static std::int64_t axis(std::int64_t value, std::int64_t axis_rank);
  /// Sorted and distinct.
  static std::vector<std::int64_t> axes(std::vector<std::int64_t> values, std::int64_t axis_rank);

  Symbol add(Op op, std::vector<Symbol> op_inputs, std::optional<ElementType> type = {}) {
    return builder.add(node.name, std::move(op), std::move(op_inputs), type);
  }
  Symbol unary(UnaryFunction function, const Symbol& x, double alpha = 0, double beta = 0);
  Symbol binary(BinaryFunction function, const Symbol& a, const Symbol& b);
  Symbol scalar(double value, ElementType type) const;
  Symbol list(std::vector<double> values, ElementType type) const;
  Symbol integer_list(const std::vector<std::int64_t>& values) const;

 private:
  const OnnxAttribute* find(const char* name, OnnxAttribute::Kind kind);

  std::set<std::string> asked_;
};

/// What a node becomes: one symbol per output. A shorter list, or an absent symbol, is an output
/// that is not supported; it is an error only where something reads it.
using OnnxConverter = std::vector<Symbol> (*)(OnnxCall&);

struct OnnxOperator {
  OnnxConverter convert = nullptr;
  /// Inputs may be centered codes (see OnnxCall::zero_points).
  bool carries_codes = false;
};

using OnnxOperatorTable = std::map<std::string, OnnxOperator>;

/// All operators by op_type; QONNX's are among them, as their names are unique.
const OnnxOperatorTable& onnx_operators();

void add_activation_operators(OnnxOperatorTable& table);
void add_convolution_operators(OnnxOperatorTable& table);
void add_creation_operators(OnnxOperatorTable& table);
void add_elementwise_operators(OnnxOperatorTable& table);
void add_index_operators(OnnxOperatorTable& table);
void add_matrix_operators(OnnxOperatorTable& table);
void add_movement_operators(OnnxOperatorTable& table);
void add_normalization_operators(OnnxOperatorTable& table);
void add_pooling_operators(OnnxOperatorTable& table);
void add_qonnx_operators(OnnxOperatorTable& table);
void add_qoperators(OnnxOperatorTable& table);
void add_quantization_operators(OnnxOperatorTable& table);
void add_reduction_operators(OnnxOperatorTable& table);
void add_resize_operators(OnnxOperatorTable& table);
void add_shape_operators(OnnxOperatorTable& table);

/// For every output axis, what its coordinate adds to the index of the input element; −1 marks a
/// coordinate whose elements are filled instead.
using AxisOffsets = std::vector<std::vector<std::int64_t>>;

/// The movement in which every axis moves on its own: transposing, slicing, padding, repeating,
/// nearest neighbours. `shape` names the same elements with other axes (empty: those of `offsets`).
Symbol move_axes(OnnxCall& call, const Symbol& x, const AxisOffsets& offsets, double fill = 0,
                 std::optional<Shape> shape = {});
/// The axes of x in another order.
Symbol transpose(OnnxCall& call, const Symbol& x, const std::vector<std::int64_t>& order);
/// Any movement, as Rearrange; none at all where `source` counts up through the only input.
Symbol rearrange(OnnxCall& call, const std::vector<Symbol>& inputs,
                 std::vector<std::int32_t> source, const Shape& shape, double fill = 0);
/// Refuses tables and constants that only a broken file asks for; gives the number of elements.
std::int64_t bounded_count(const Shape& shape);
/// x to another type, with ONNX's conversions.
Symbol cast(OnnxCall& call, const Symbol& x, ElementType type);
/// The element type of an attribute; refuses an unknown one.
ElementType read_element_type(std::int64_t number);

/// Where windows go: sizes of one spatial operator (convolution, pooling) by axis.
struct OnnxWindows {
  std::vector<std::int64_t> kernel, stride, dilation, pad_begin, pad_end, output;
};

/// Reads strides, dilations, pads, auto_pad, kernel_shape and ceil_mode, and computes the output
/// sizes. `kernel` is empty where only the attribute has it.
OnnxWindows read_windows(OnnxCall& call, const Shape& input, std::vector<std::int64_t> kernel);

/// (x − zero_point)·scale; an integer initializer becomes the stored words of the result.
Symbol dequantize(OnnxCall& call, const Symbol& x, double carried_zero_point,
                  const std::vector<double>& scale, const std::vector<double>& zero_point,
                  std::int64_t axis);
/// Real to centered codes of an integer type.
Symbol quantize(OnnxCall& call, const Symbol& x, ElementType type, const std::vector<double>& scale,
                const std::vector<double>& zero_point, std::int64_t axis);

}  // namespace flipscope
