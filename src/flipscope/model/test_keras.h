// Small Keras models, for tests.
#pragma once

#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "flipscope/model/hdf5_file.h"
#include "flipscope/model/keras.h"
#include "flipscope/model/test_run_graph.h"
#include "flipscope/numeric/test_error.h"

namespace flipscope::keras_test {

using Floats = std::vector<float>;

/// The output for one sample.
inline Floats run(const Graph& graph, const Floats& input) {
  return run_graph(graph, {input}).front();
}

/// A weights file of one group per layer, as Keras 2 writes it.
struct Weights {
  Hdf5Contents contents;

  Weights& add(const std::string& group, const std::string& name, const Shape& shape,
               std::vector<double> data) {
    auto& groups = contents.texts["@layer_names"];
    if (groups.empty() || groups.back() != group) groups.push_back(group);
    contents.texts[group + "@weight_names"].push_back(name + ":0");
    contents.datasets[group + "/" + name + ":0"] = {ElementType::float32, shape, std::move(data)};
    return *this;
  }
};

inline std::vector<double> counting(std::int64_t count, double first = 1) {
  std::vector<double> numbers(static_cast<std::size_t>(count));
  std::iota(numbers.begin(), numbers.end(), first);
  return numbers;
}

inline std::string sequential(const std::string& input, const std::string& layers) {
  return R"({"class_name":"Sequential","keras_version":"2.13.1","config":{"name":"m","layers":[
    {"class_name":"InputLayer","config":{"name":"in","batch_input_shape":[null,)" +
         input + "]}}," + layers + "]}}";
}

inline std::string layer(const std::string& class_name, const std::string& config) {
  return R"({"class_name":")" + class_name + R"(","config":{"name":"l")" +
         (config.empty() ? "" : "," + config) + "}}";
}

inline Graph import(const std::string& config, const Weights& weights = {}) {
  return import_keras(config, "model.json", weights.contents, "weights.hdf5");
}

inline std::string error_of(const std::string& config, const Weights& weights = {}) {
  return message_of([&] { import(config, weights); });
}

/// Output of a single layer without weights on the numbers 1, 2, 3, …
inline Floats apply(const std::string& input, std::int64_t count, const std::string& one) {
  const auto numbers = counting(count);
  return run(import(sequential(input, one)), {numbers.begin(), numbers.end()});
}

}  // namespace flipscope::keras_test
