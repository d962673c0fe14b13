#include "flipscope/engine/reference.h"

#include <cmath>
#include <limits>

#include "flipscope/engine/strike.h"

namespace flipscope {
namespace {

/// One operand of a node for one sample.
struct Operand {
  Shape shape;
  std::vector<double> elements;  ///< float32 numbers, or exact constants where sums are in float64
};

/// Coordinates of a flat index.
Shape position_of(std::int64_t index, const Shape& shape) {
  Shape position(shape.size());
  for (std::size_t i = shape.size(); i-- > 0;) {
    position[i] = index % shape[i];
    index /= shape[i];
  }
  return position;
}

/// The next coordinates in C order; after the last come the first.
void advance(Shape& position, const Shape& shape) {
  for (std::size_t i = shape.size(); i-- > 0;) {
    if (++position[i] < shape[i]) return;
    position[i] = 0;
  }
}

std::int64_t flat(const Shape& position, const Shape& shape) {
  std::int64_t index = 0;
  for (std::size_t i = 0; i < shape.size(); ++i) index = index * shape[i] + position[i];
  return index;
}

/// One output element's sum, term by term.
class Sum {
 public:
  Sum(const Accumulation& accumulation, double start)
      : accumulation_(accumulation), narrow_(static_cast<float>(start)), wide_(start) {}

  void add(double w, double x) {
    if (accumulation_.carrier == Carrier::float32) {
      narrow_ = std::fma(static_cast<float>(w), static_cast<float>(x), narrow_);
    } else {
      wide_ = std::fma(w, x, wide_);
    }
  }
  float result(std::int64_t channel) const {
    const double sum = accumulation_.carrier == Carrier::float32 ? narrow_ : wide_;
    const std::vector<double>& scale = accumulation_.rescale;
    if (scale.empty()) return static_cast<float>(sum);
    return static_cast<float>(sum * scale[scale.size() == 1 ? 0 : channel]);
  }

 private:
  const Accumulation& accumulation_;
  float narrow_;
  double wide_;
};

/// A struck read: element `input` of operand `operand` as seen by output element `output` alone.
struct StruckRead {
  int operand;
  std::int64_t output;
  std::int64_t input;
  float value;
};

double read(const std::vector<Operand>& in, int operand, std::int64_t input, std::int64_t output,
            const std::vector<StruckRead>& struck) {
  for (const StruckRead& s : struck) {
    if (s.operand == operand && s.output == output && s.input == input) return s.value;
  }
  return in[operand].elements[input];
}

void interpret(const Convolution& op, const std::vector<Operand>& in, const Shape& out_shape,
               const std::vector<StruckRead>& struck, std::vector<float>& out) {
  const Operand& x = in[0];
  const Operand& w = in[1];
  const bool has_bias = in.size() > 2 && !in[2].elements.empty();
  const std::int64_t out_per_group = out_shape[1] / op.groups;
  const std::int64_t taps = strides_of(w.shape)[0];
  for (std::size_t o = 0; o < out.size(); ++o) {
    const Shape y = position_of(static_cast<std::int64_t>(o), out_shape);
    Sum sum(op.accumulation, has_bias ? in[2].elements[y[1]] : 0.0);
    Shape from = y, kernel(w.shape.size(), 0);
    kernel[0] = y[1];
    for (std::int64_t tap = 0; tap < taps; ++tap, advance(kernel, w.shape)) {
      from[1] = y[1] / out_per_group * w.shape[1] + kernel[1];
      bool inside = true;
      for (std::size_t i = 2; i < y.size(); ++i) {
        from[i] = y[i] * op.stride[i - 2] + kernel[i] * op.dilation[i - 2] - op.pad_begin[i - 2];
        inside = inside && from[i] >= 0 && from[i] < x.shape[i];
      }
      if (!inside) continue;
      sum.add(w.elements[flat(kernel, w.shape)],
              read(in, 0, flat(from, x.shape), static_cast<std::int64_t>(o), struck));
    }
    out[o] = sum.result(y[1]);
  }
}

void interpret(const TransposedConvolution& op, const std::vector<Operand>& in,
               const Shape& out_shape, const std::vector<StruckRead>& struck,
               std::vector<float>& out) {
  const Operand& x = in[0];
  const Operand& w = in[1];
  const bool has_bias = in.size() > 2 && !in[2].elements.empty();
  const std::int64_t in_per_group = x.shape[1] / op.groups;
  for (std::size_t o = 0; o < out.size(); ++o) {
    const Shape y = position_of(static_cast<std::int64_t>(o), out_shape);
    Sum sum(op.accumulation, has_bias ? in[2].elements[y[1]] : 0.0);
    const std::int64_t group = y[1] / w.shape[1];
    Shape plane(w.shape.begin() + 2, w.shape.end());
    for (std::int64_t c = 0; c < in_per_group; ++c) {
      for (std::int64_t k = 0; k < element_count(plane); ++k) {
        const Shape tap = position_of(k, plane);
        Shape from{y[0], group * in_per_group + c};
        bool inside = true;
        for (std::size_t i = 0; i < plane.size() && inside; ++i) {
          const std::int64_t at = y[i + 2] + op.pad_begin[i] - tap[i] * op.dilation[i];
          inside = at >= 0 && at % op.stride[i] == 0 && at / op.stride[i] < x.shape[i + 2];
          from.push_back(at / op.stride[i]);
        }
        if (!inside) continue;
        Shape kernel{from[1], y[1] % w.shape[1]};
        kernel.insert(kernel.end(), tap.begin(), tap.end());
        sum.add(w.elements[flat(kernel, w.shape)],
                read(in, 0, flat(from, x.shape), static_cast<std::int64_t>(o), struck));
      }
    }
    out[o] = sum.result(y[1]);
  }
}

/// Index into an operand of `shape` that broadcasts to `whole` at `position`; axes to the right.
std::int64_t broadcast_index(const Shape& shape, const Shape& position) {
  std::int64_t index = 0;
  const std::size_t lead = position.size() - shape.size();
  for (std::size_t i = 0; i < shape.size(); ++i) {
    index = index * shape[i] + (shape[i] == 1 ? 0 : position[lead + i]);
  }
  return index;
}

void interpret(const MatrixProduct& op, const std::vector<Operand>& in, const Shape& out_shape,
               const std::vector<StruckRead>& struck, std::vector<float>& out) {
  Shape a = in[0].shape, b = in[1].shape, whole = out_shape;
  if (a.size() == 1) {
    a.insert(a.begin(), 1);
    whole.insert(whole.end() - (in[1].shape.size() > 1 ? 1 : 0), 1);
  }
  if (b.size() == 1) {
    b.push_back(1);
    whole.push_back(1);
  }
  const bool has_addend = in.size() > 2 && !in[2].elements.empty();
  for (std::size_t o = 0; o < out.size(); ++o) {
    Shape position = position_of(static_cast<std::int64_t>(o), whole);
    const double start = has_addend ? in[2].elements[broadcast_index(in[2].shape, position)] : 0.0;
    Sum sum(op.accumulation, start);
    const std::int64_t column = position.back();
    const std::int64_t row = position[position.size() - 2];
    Shape left = position, right = position;
    left[left.size() - 2] = row;
    right.back() = column;
    for (std::int64_t k = 0; k < a.back(); ++k) {
      left.back() = k;
      right[right.size() - 2] = k;
      const auto output = static_cast<std::int64_t>(o);
      sum.add(read(in, 1, broadcast_index(b, right), output, struck),
              read(in, 0, broadcast_index(a, left), output, struck));
    }
    out[o] = sum.result(column);
  }
}

void interpret(const Pooling& op, const std::vector<Operand>& in, const Shape& out_shape,
               std::vector<float>& out) {
  const Shape& x = in[0].shape;
  for (std::size_t o = 0; o < out.size(); ++o) {
    const Shape y = position_of(static_cast<std::int64_t>(o), out_shape);
    float most = -std::numeric_limits<float>::infinity();
    float sum = 0;
    std::int64_t read_taps = 0, counted = 0;
    for (std::int64_t k = 0; k < element_count(op.kernel); ++k) {
      const Shape tap = position_of(k, op.kernel);
      Shape from{y[0], y[1]};
      bool inside = true, padded = true;
      for (std::size_t i = 0; i < op.kernel.size(); ++i) {
        const std::int64_t at = y[i + 2] * op.stride[i] + tap[i] * op.dilation[i] - op.pad_begin[i];
        inside = inside && at >= 0 && at < x[i + 2];
        padded = padded && at >= -op.pad_begin[i] && at < x[i + 2] + op.pad_end[i];
        from.push_back(at);
      }
      counted += padded ? 1 : 0;
      if (!inside) continue;
      ++read_taps;
      const auto value = static_cast<float>(in[0].elements[flat(from, x)]);
      if (std::isnan(value) || value > most) most = std::isnan(most) ? most : value;
      sum += value;
    }
    out[o] = op.kind == Pooling::Kind::max
                 ? most
                 : sum / static_cast<float>(op.count_padding ? counted : read_taps);
  }
}

void interpret(const BatchNormalization& op, const std::vector<Operand>& in, const Shape& out_shape,
               std::vector<float>& out) {
  for (std::size_t o = 0; o < out.size(); ++o) {
    const std::int64_t c = position_of(static_cast<std::int64_t>(o), out_shape)[1];
    const auto number = [&](std::size_t k) { return static_cast<float>(in[k].elements[c]); };
    const float factor = number(1) / std::sqrt(number(4) + static_cast<float>(op.epsilon));
    out[o] = std::fma(static_cast<float>(in[0].elements[o]) - number(3), factor, number(2));
  }
}

/// Operators that only move values or treat each on its own have one implementation, tested against
/// the official ONNX cases: here it runs on a single lane.
void interpret_plainly(const Op& op, const std::vector<Operand>& in, const Shape& out_shape,
                       std::vector<float>& out) {
  std::vector<std::vector<float>> elements;
  std::vector<View<float>> views;
  elements.reserve(in.size());
  for (const Operand& operand : in) {
    elements.emplace_back(operand.elements.begin(), operand.elements.end());
    views.push_back({elements.back().data(), &operand.shape, false, nullptr});
  }
  forward<float>(op, views, out_shape, out.data(), 1);
}

void interpret(const Node& node, const std::vector<Operand>& in, const Shape& out_shape,
               const std::vector<StruckRead>& struck, std::vector<float>& out) {
  if (const auto* conv = std::get_if<Convolution>(&node.op)) {
    interpret(*conv, in, out_shape, struck, out);
  } else if (const auto* transposed = std::get_if<TransposedConvolution>(&node.op)) {
    interpret(*transposed, in, out_shape, struck, out);
  } else if (const auto* product = std::get_if<MatrixProduct>(&node.op)) {
    interpret(*product, in, out_shape, struck, out);
  } else if (const auto* pool = std::get_if<Pooling>(&node.op);
             pool && pool->kind != Pooling::Kind::lp) {
    interpret(*pool, in, out_shape, out);
  } else if (const auto* norm = std::get_if<BatchNormalization>(&node.op)) {
    interpret(*norm, in, out_shape, out);
  } else {
    interpret_plainly(node.op, in, out_shape, out);
  }
}

void strike_value_sites(const Graph& graph, const FaultSpace* space, const Fault& fault, int value,
                        std::vector<float>& elements) {
  for (const FaultSite& site : fault.sites) {
    const FaultTarget& target = space->targets()[site.target];
    const bool here =
        (target.part == Part::activations || target.part == Part::inputs) && target.id == value;
    if (!here) continue;
    const Value& what = graph.values[value];
    const std::size_t channel = what.encoding.channel(site.index, what.shape);
    elements[site.index] =
        strike_value(fault.effect, what.encoding, channel, elements[site.index], site.bit);
  }
}

}  // namespace

std::vector<std::vector<float>> run_reference(const Graph& graph, std::span<const float> input,
                                              const FaultSpace* space, const Fault* fault) {
  const Fault none;
  if (!fault) fault = &none;
  std::vector<std::vector<Word>> words;
  words.reserve(graph.stored.size());
  for (const StoredTensor& stored : graph.stored) words.push_back(stored.words);
  for (const FaultSite& site : fault->sites) {
    const FaultTarget& target = space->targets()[site.target];
    if (!is_stored(target.part)) continue;
    Word& word = words[target.id][site.index];
    word = strike(fault->effect, target.encoding, site.index, word, site.bit);
  }

  std::vector<std::vector<float>> values(graph.values.size());
  values[graph.inputs[0]].assign(input.begin(), input.end());
  strike_value_sites(graph, space, *fault, graph.inputs[0], values[graph.inputs[0]]);
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    const Node& node = graph.nodes[n];
    std::vector<Operand> operands;
    for (const Input& in : node.inputs) {
      Operand operand{.shape = in.shape, .elements = {}};
      if (in.kind == Input::Kind::value) {
        operand.elements.assign(values[in.id].begin(), values[in.id].end());
      } else if (in.kind == Input::Kind::constant) {
        const Constant& constant = graph.constants[in.id];
        const std::int64_t count = element_count(constant.shape);
        for (std::int64_t i = 0; i < count; ++i) {
          const std::int64_t at = constant.source.empty() ? i : constant.source[i];
          const Word word = at < 0 ? 0 : words[constant.stored][at];
          operand.elements.push_back(read_element(graph, constant, i, word));
        }
      }
      operands.push_back(std::move(operand));
    }
    std::vector<StruckRead> struck;
    for (const FaultSite& site : fault->sites) {
      const FaultTarget& target = space->targets()[site.target];
      if (target.part != Part::operands || target.id != static_cast<int>(n)) continue;
      const OperandRead at = operand_read(graph, static_cast<int>(n), site.index);
      const int data = data_operand(node);
      const Value& x = graph.values[node.inputs[data].id];
      StruckRead* same = nullptr;
      for (StruckRead& other : struck) {
        if (other.output == at.output && other.input == at.input) same = &other;
      }
      if (!same) {
        const auto golden = static_cast<float>(operands[data].elements[at.input]);
        same = &struck.emplace_back(StruckRead{data, at.output, at.input, golden});
      }
      same->value = strike_value(fault->effect, x.encoding, x.encoding.channel(at.input, x.shape),
                                 same->value, site.bit);
    }
    const Shape& shape = graph.values[node.output].shape;
    std::vector<float>& out = values[node.output];
    out.resize(element_count(shape));
    interpret(node, operands, shape, struck, out);
    strike_value_sites(graph, space, *fault, node.output, out);
  }
  return values;
}

}  // namespace flipscope
