#include "flipscope/model/onnx_batch.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <vector>

#include "flipscope/numeric/aligned.h"
#include "flipscope/numeric/error.h"
#include "flipscope/numeric/random.h"

namespace flipscope {
namespace {

using Numbers = AlignedVector<float>;  ///< [element][lane]

std::vector<const OnnxValue*> free_inputs(const OnnxModel& model, const OnnxOptions& options) {
  std::vector<const OnnxValue*> inputs;
  for (const OnnxValue& input : model.inputs) {
    if (!options.constants.contains(input.name)) inputs.push_back(&input);
  }
  return inputs;
}

std::optional<Graph> import_as_it_stands(const OnnxModel& model, OnnxOptions options) {
  options.first_axis_is_batch = false;
  try {
    OnnxConversion converted = convert_onnx(model, options);
    return converted.builder.finish(model.name, converted.outputs, converted.output_names);
  } catch (const Error&) {
    return {};
  }
}

double numbers_in(const Graph& graph) {
  double count = 0;
  for (const Value& value : graph.values) count += static_cast<double>(element_count(value.shape));
  return count;
}

/// Numbers that tell samples apart, fit for the input's type.
std::vector<float> drawn(ElementType type, std::int64_t count, std::uint64_t stream) {
  const bool whole = type != ElementType::float32 && type != ElementType::float64 &&
                     type != ElementType::float16 && type != ElementType::bfloat16;
  const std::uint64_t most = type == ElementType::boolean ? 2 : 100;
  Random random(0, stream);
  std::vector<float> numbers;
  for (std::int64_t i = 0; i < count; ++i) {
    numbers.push_back(
        static_cast<float>(whole ? static_cast<double>(random.below(most)) : random.normal()));
  }
  return numbers;
}

/// [value] the last node that reads it; outputs are never done with.
std::vector<std::size_t> last_readers(const Graph& graph) {
  std::vector<std::size_t> last(graph.values.size(), 0);
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    for (const Input& input : graph.nodes[n].inputs) {
      if (input.kind == Input::Kind::value) last[input.id] = n;
    }
  }
  for (const int output : graph.outputs) last[output] = graph.nodes.size();
  return last;
}

/// All outputs, given all inputs; `lanes` is a multiple of kLaneGroup.
std::vector<Numbers> run_lanes(const Graph& graph, std::vector<Numbers> inputs, int lanes) {
  std::vector<Numbers> values(graph.values.size());
  for (std::size_t k = 0; k < inputs.size(); ++k) values[graph.inputs[k]] = std::move(inputs[k]);
  std::vector<std::vector<double>> wide;
  std::vector<Numbers> narrow;
  for (const Constant& constant : graph.constants) {
    wide.push_back(read_constant(graph, constant));
    narrow.emplace_back();
    for (const double x : wide.back()) narrow.back().push_back(static_cast<float>(x));
  }
  const std::vector<std::size_t> last = last_readers(graph);
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    const Node& node = graph.nodes[n];
    std::vector<View<float>> views;
    for (const Input& input : node.inputs) {
      views.emplace_back();
      if (input.kind == Input::Kind::value) views.back() = {values[input.id].data(), &input.shape};
      if (input.kind == Input::Kind::constant) {
        views.back() = {narrow[input.id].data(), &input.shape, true, wide[input.id].data()};
      }
    }
    const Shape& shape = graph.values[node.output].shape;
    values[node.output].resize(element_count(shape) * lanes);
    forward<float>(node.op, views, shape, values[node.output].data(), lanes);
    for (const Input& input : node.inputs) {
      if (input.kind == Input::Kind::value && last[input.id] == n) Numbers().swap(values[input.id]);
    }
  }
  std::vector<Numbers> outputs;
  for (const int output : graph.outputs) outputs.push_back(values[output]);
  return outputs;
}

bool same(double a, double b, double size) {
  return a == b || (std::isnan(a) && std::isnan(b)) || std::fabs(a - b) <= 1e-4 * size;
}

/// Whether `whole`, [sample][element], all lanes alike, holds the elements of `alone`,
/// [element][sample].
bool same_numbers(const Numbers& whole, const Numbers& alone, std::int64_t samples,
                  std::int64_t lanes) {
  const std::int64_t elements = std::ssize(alone) / lanes;
  if (std::ssize(whole) != samples * elements * kLaneGroup) return false;
  double size = 0;
  for (const double x : whole) {
    if (std::isfinite(x)) size = std::max(size, std::fabs(x));
  }
  for (std::int64_t s = 0; s < samples; ++s) {
    for (std::int64_t e = 0; e < elements; ++e) {
      if (!same(whole[(s * elements + e) * kLaneGroup], alone[e * lanes + s], size)) return false;
    }
  }
  return true;
}

}  // namespace

std::int64_t fixed_batch(const OnnxModel& model, const OnnxOptions& options) {
  std::int64_t batch = 1;
  if (!options.first_axis_is_batch) return batch;
  for (const OnnxValue* input : free_inputs(model, options)) {
    if (!input->shape.empty()) batch = std::max(batch, input->shape[0]);
  }
  return batch;
}

void check_batch(const OnnxModel& model, const OnnxOptions& options, const Graph& single) {
  constexpr double kMostNumbers = 1e8;
  const std::int64_t samples = fixed_batch(model, options);
  const std::optional<Graph> whole = import_as_it_stands(model, options);
  if (!whole || numbers_in(*whole) > kMostNumbers) return;
  const std::int64_t lanes = (samples + kLaneGroup - 1) / kLaneGroup * kLaneGroup;
  std::vector<Numbers> together, apart;
  const std::vector<const OnnxValue*> inputs = free_inputs(model, options);
  for (std::size_t k = 0; k < inputs.size(); ++k) {
    const std::int64_t own = inputs[k]->shape.empty() ? 1 : inputs[k]->shape[0];
    const std::int64_t elements = element_count(single.values[single.inputs[k]].shape);
    const auto numbers = drawn(inputs[k]->type, element_count(inputs[k]->shape), k);
    together.emplace_back();
    for (const float x : numbers) together.back().insert(together.back().end(), kLaneGroup, x);
    apart.emplace_back();
    for (std::int64_t e = 0; e < elements; ++e) {
      for (std::int64_t s = 0; s < lanes; ++s) {
        apart.back().push_back(numbers[std::min(s, own - 1) * elements + e]);
      }
    }
  }
  const auto at_once = run_lanes(*whole, std::move(together), kLaneGroup);
  const auto alone = run_lanes(single, std::move(apart), static_cast<int>(lanes));
  for (std::size_t k = 0; k < alone.size(); ++k) {
    if (same_numbers(at_once[k], alone[k], samples, lanes)) continue;
    fail(
        "onnx",
        "{}: {} samples at once, for which the first axis of the inputs has room, do not give what "
        "each gives alone, so it is no batch: export the model with samples on a first axis of "
        "size 1 or of symbolic size",
        model.file, samples);
  }
}

}  // namespace flipscope
