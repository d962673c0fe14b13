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

using Numbers = AlignedVector<double>;  ///< [element][lane]

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
Numbers drawn(ElementType type, std::int64_t count, std::uint64_t stream) {
  const bool whole = type != ElementType::float32 && type != ElementType::float64 &&
                     type != ElementType::float16 && type != ElementType::bfloat16;
  const std::uint64_t most = type == ElementType::boolean ? 2 : 100;
  Random random(0, stream);
  Numbers numbers;
  for (std::int64_t i = 0; i < count; ++i) {
    numbers.push_back(whole ? static_cast<double>(random.below(most)) : random.normal());
  }
  return numbers;
}

/// All outputs, given all inputs.
std::vector<Numbers> run_in_double(const Graph& graph, std::vector<Numbers> inputs, int lanes) {
  std::vector<Numbers> values(graph.values.size());
  for (std::size_t k = 0; k < inputs.size(); ++k) values[graph.inputs[k]] = std::move(inputs[k]);
  std::vector<std::vector<double>> constants;
  for (const Constant& constant : graph.constants) {
    constants.push_back(read_constant(graph, constant));
  }
  for (const Node& node : graph.nodes) {
    std::vector<View<double>> views;
    for (const Input& input : node.inputs) {
      views.emplace_back();
      if (input.kind == Input::Kind::value) views.back() = {values[input.id].data(), &input.shape};
      if (input.kind == Input::Kind::constant) {
        views.back() = {constants[input.id].data(), &input.shape, true};
      }
    }
    const Shape& shape = graph.values[node.output].shape;
    values[node.output].resize(element_count(shape) * lanes);
    forward<double>(node.op, views, shape, values[node.output].data(), lanes);
  }
  std::vector<Numbers> outputs;
  for (const int output : graph.outputs) outputs.push_back(values[output]);
  return outputs;
}

bool same(double a, double b, double size) {
  return a == b || (std::isnan(a) && std::isnan(b)) || std::fabs(a - b) <= 1e-6 * size;
}

/// Whether `whole`, [sample][element], holds the elements of `alone`, [element][sample].
bool same_numbers(const Numbers& whole, const Numbers& alone, std::int64_t samples) {
  if (whole.size() != alone.size()) return false;
  const std::int64_t elements = std::ssize(alone) / samples;
  double size = 0;
  for (const double x : whole) {
    if (std::isfinite(x)) size = std::max(size, std::fabs(x));
  }
  for (std::int64_t s = 0; s < samples; ++s) {
    for (std::int64_t e = 0; e < elements; ++e) {
      if (!same(whole[s * elements + e], alone[e * samples + s], size)) return false;
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
  std::vector<Numbers> together, apart;
  const std::vector<const OnnxValue*> inputs = free_inputs(model, options);
  for (std::size_t k = 0; k < inputs.size(); ++k) {
    const std::int64_t own = inputs[k]->shape.empty() ? 1 : inputs[k]->shape[0];
    const std::int64_t elements = element_count(single.values[single.inputs[k]].shape);
    together.push_back(drawn(inputs[k]->type, element_count(inputs[k]->shape), k));
    apart.emplace_back(elements * samples);
    for (std::int64_t e = 0; e < elements; ++e) {
      for (std::int64_t s = 0; s < samples; ++s) {
        apart.back()[e * samples + s] = together.back()[std::min(s, own - 1) * elements + e];
      }
    }
  }
  const auto at_once = run_in_double(*whole, std::move(together), 1);
  const auto alone = run_in_double(single, std::move(apart), static_cast<int>(samples));
  for (std::size_t k = 0; k < alone.size(); ++k) {
    if (same_numbers(at_once[k], alone[k], samples)) continue;
    fail(
        "onnx",
        "{}: {} samples at once, for which the first axis of the inputs has room, do not give what "
        "each gives alone, so it is no batch: export the model with samples on a first axis of "
        "size 1 or of symbolic size",
        model.file, samples);
  }
}

}  // namespace flipscope
