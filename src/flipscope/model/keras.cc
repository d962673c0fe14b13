// Keras models: the network of layers in the configuration, with the weights of an HDF5 file.
#include "flipscope/model/keras.h"

#include <algorithm>
#include <map>
#include <memory>

#include "flipscope/model/file_bytes.h"
#include "flipscope/model/keras_archive.h"
#include "flipscope/model/keras_layer.h"
#include "flipscope/model/model.h"
#include "flipscope/numeric/error.h"

namespace flipscope {
namespace {

constexpr std::int64_t kMostValues = std::int64_t{1} << 26;

/// One output of one call of a layer.
struct TensorKey {
  std::string layer;
  std::int64_t call = 0, tensor = 0;
};

/// Every tensor that a call (or a list of inputs or outputs) names, in order. Keras 2 writes
/// ["layer", call, tensor] triples in lists; Keras 3 wraps them in "__keras_tensor__" objects.
void collect_keys(const Config& value, std::vector<TensorKey>& keys, int depth = 0) {
  if (depth > kMostNesting) fail("keras", "{}: its connections nest too deep", value.where());
  if (value.is_array() && value.size() >= 3 && value[0].is_text() && value[1].is_number() &&
      value[2].is_number()) {
    keys.push_back(
        {value[0].text("layer"), value[1].integer("node index"), value[2].integer("tensor index")});
    return;
  }
  if (value.is_object()) {
    if (value.text("class_name", "") == "__keras_tensor__") {
      collect_keys(value["config"]["keras_history"], keys, depth + 1);
      return;
    }
    for (const std::string& key : value.keys()) collect_keys(value[key], keys, depth + 1);
    return;
  }
  for (std::size_t i = 0; i < value.size(); ++i) collect_keys(value[i], keys, depth + 1);
}

/// The calls of a layer: the tensors that each takes.
std::vector<std::vector<TensorKey>> calls_of(const Config& layer) {
  std::vector<std::vector<TensorKey>> calls;
  const Config nodes = layer["inbound_nodes"];
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    calls.emplace_back();
    collect_keys(nodes[i].is_object() ? nodes[i]["args"] : nodes[i], calls.back());
  }
  return calls;
}

/// A shape of the configuration with the batch set to 1; nothing where it has none.
std::optional<Shape> input_shape(const Config& config) {
  for (const char* key : {"batch_input_shape", "batch_shape", "build_input_shape"}) {
    Config value = config[key];
    if (value.size() == 1 && value[0].is_array()) value = value[0];
    if (!value.is_array()) continue;
    Shape shape = {1};
    for (std::size_t i = 1; i < value.size(); ++i) {
      if (value[i].is_null()) {
        fail("keras", "{}: axis {} of its input has no fixed size; give the model one",
             config.where(), i);
      }
      const std::int64_t size = value[i].integer("input shape");
      if (size < 1 || size > kMostValues || shape.size() > 8) {
        fail("keras", "{}: its input shape is not possible", config.where());
      }
      shape.push_back(size);
    }
    double count = 1;
    for (const std::int64_t size : shape) count *= static_cast<double>(size);
    if (count > static_cast<double>(kMostValues)) {
      fail("keras", "{}: an input of {} is too large", config.where(), to_string(shape));
    }
    return shape;
  }
  return {};
}

class Importer {
 public:
  Importer(std::string file, const KerasWeights& weights, int keras_major)
      : file_(std::move(file)),
        weights_(weights),
        keras_major_(keras_major),
        builder_("keras", Layout::channel_last) {}

  Graph import(const Config& model) {
    std::vector<std::string> names;
    std::vector<KerasTensor> outputs = run_model(model, "", nullptr, &names, 0);
    std::vector<Symbol> symbols;
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      symbols.push_back(call_of(names[i]).to_keras(outputs[i]));
    }
    if (symbols.empty()) fail("keras", "{}: the model has no output", file_);
    std::string name = model["config"].text("name", "");
    return builder_.finish(name.empty() ? "model" : name, symbols, names);
  }

 private:
  LayerCall call_of(const std::string& node) {
    LayerCall call{.builder = builder_, .weights = weights_};
    call.node = node;
    call.keras_major = keras_major_;
    return call;
  }

  std::string where(const std::string& path) const {
    return fmt::format("{}: layer \"{}\"", file_, path);
  }

  /// The outputs of a model whose inputs are `given`, or new inputs of the graph.
  std::vector<KerasTensor> run_model(const Config& model, const std::string& prefix,
                                     const std::vector<KerasTensor>* given,
                                     std::vector<std::string>* names, int depth) {
    if (depth > kMostNesting) fail("keras", "{}: models nest deeper than {}", file_, kMostNesting);
    return model.text("class_name", "") == "Sequential"
               ? run_sequence(model, prefix, given, names, depth)
               : run_network(model, prefix, given, names, depth);
  }

  KerasTensor new_input(const std::string& name, const Shape& shape) {
    return call_of(name + "/layout").from_keras(builder_.add_input(name, shape));
  }

  std::vector<KerasTensor> run_sequence(const Config& model, const std::string& prefix,
                                        const std::vector<KerasTensor>* given,
                                        std::vector<std::string>* names, int depth) {
    const Config layers = layers_of(model);
    std::vector<KerasTensor> values;
    if (given) values = *given;
    std::string last;
    for (std::size_t i = 0; i < layers.size(); ++i) {
      const std::string class_name = layers[i].text("class_name", "");
      const std::string path = prefix + name_of(layers[i]);
      const Config config = layers[i]["config"].at(where(path));
      if (values.empty()) {
        std::optional<Shape> shape = input_shape(config);
        if (!shape && class_name == "Sequential") {
          shape = input_shape(layers_of(layers[i])[0]["config"].at(where(path)));
        }
        if (!shape) shape = input_shape(model["config"].at(where(prefix + name_of(model))));
        if (!shape) fail("keras", "{}: the file does not say the shape of its input", where(path));
        const bool is_input = class_name == "InputLayer";
        values = {new_input(is_input ? path : path + "_input", *shape)};
      }
      last = path;
      if (class_name == "InputLayer") continue;
      values = run_layer(layers[i], path, path, values, depth);
    }
    if (names) *names = {last};
    return values;
  }

  std::vector<KerasTensor> run_layer(const Config& layer, const std::string& path,
                                     const std::string& node,
                                     const std::vector<KerasTensor>& inputs, int depth) {
    const std::string class_name = layer.text("class_name", "");
    if (is_model(class_name)) return run_model(layer, path + "/", &inputs, nullptr, depth + 1);
    if (inputs.empty()) fail("keras", "{}: it has no input", where(path));
    LayerCall call{.builder = builder_,
                   .weights = weights_,
                   .config = layer["config"].at(where(path)),
                   .class_name = plain_class(class_name),
                   .is_quantized = plain_class(class_name) != class_name,
                   .path = path,
                   .node = node,
                   .keras_major = keras_major_,
                   .inputs = inputs};
    if (const std::size_t package = call.class_name.rfind('>'); package != std::string::npos) {
      const std::string inner = call.class_name.substr(package + 1);
      call.class_name = plain_class(inner);
      call.is_quantized = call.class_name != inner;
    }
    KerasTensor output = import_layer(call);
    double count = 1;
    for (const std::int64_t size : output.shape) count *= static_cast<double>(size);
    if (count > static_cast<double>(kMostValues)) {
      fail("keras", "{}: its output {} is too large", where(path), to_string(output.shape));
    }
    return {std::move(output)};
  }

  /// What is known of one layer while its network runs.
  struct State {
    Config entry;
    std::string class_name;
    std::vector<std::vector<TensorKey>> calls{};
    std::map<std::int64_t, std::vector<KerasTensor>> outputs{};  ///< by call
    bool skips_first = false;  ///< call 0 is the model's own, which the file leaves out
  };

  std::vector<KerasTensor> run_network(const Config& model, const std::string& prefix,
                                       const std::vector<KerasTensor>* given,
                                       std::vector<std::string>* names, int depth) {
    const Config layers = layers_of(model);
    std::vector<std::string> order;
    std::map<std::string, State> states;
    for (std::size_t i = 0; i < layers.size(); ++i) {
      State state{.entry = layers[i], .class_name = layers[i].text("class_name", "")};
      state.calls = calls_of(layers[i]);
      if (is_model(state.class_name)) {
        const std::string first = layers_of(layers[i])[0].text("class_name", "");
        state.skips_first =
            first == "InputLayer" && (state.class_name != "Sequential" || keras_major_ < 3);
      }
      order.push_back(name_of(layers[i]));
      if (!states.emplace(order.back(), std::move(state)).second) {
        fail("keras", "{}: two layers are called \"{}\"", file_, prefix + order.back());
      }
    }

    std::vector<TensorKey> inputs, outputs;
    collect_keys(model["config"]["input_layers"], inputs);
    collect_keys(model["config"]["output_layers"], outputs);
    if (given && given->size() != inputs.size()) {
      fail("keras", "{}: it takes {} inputs, got {}", where(prefix), inputs.size(), given->size());
    }
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      const auto found = states.find(inputs[i].layer);
      if (found == states.end()) {
        fail("keras", "{}: input layer \"{}\" is not among the layers", file_, inputs[i].layer);
      }
      const std::string path = prefix + inputs[i].layer;
      KerasTensor value;
      if (given) {
        value = (*given)[i];
      } else {
        const auto shape = input_shape(found->second.entry["config"].at(where(path)));
        if (!shape) fail("keras", "{}: the file does not say the shape of its input", where(path));
        value = new_input(path, *shape);
      }
      found->second.outputs[0] = {value};
    }

    // Layers need not stand in the order in which they run.
    for (bool progress = true; progress;) {
      progress = false;
      for (const std::string& name : order) {
        State& state = states.at(name);
        for (std::size_t k = 0; k < state.calls.size(); ++k) {
          const auto call = static_cast<std::int64_t>(k);
          if (state.outputs.contains(call) || state.class_name == "InputLayer") continue;
          std::vector<KerasTensor> arguments;
          const bool ready =
              std::all_of(state.calls[k].begin(), state.calls[k].end(), [&](const TensorKey& key) {
                const KerasTensor* value = find(states, key);
                if (value) arguments.push_back(*value);
                return value != nullptr;
              });
          if (!ready) continue;
          const std::string path = prefix + name;
          const std::string node = k == 0 ? path : fmt::format("{}:{}", path, k);
          state.outputs[call] = run_layer(state.entry, path, node, arguments, depth);
          progress = true;
        }
      }
    }

    std::vector<KerasTensor> results;
    for (const TensorKey& key : outputs) {
      const KerasTensor* value = find(states, key);
      if (!value) {
        fail("keras", "{}: output \"{}\" of the model cannot be computed from its inputs", file_,
             prefix + key.layer);
      }
      results.push_back(*value);
      if (names) names->push_back(prefix + key.layer);
    }
    return results;
  }

  const KerasTensor* find(const std::map<std::string, State>& states, const TensorKey& key) const {
    const auto found = states.find(key.layer);
    if (found == states.end()) {
      fail("keras", "{}: layer \"{}\" is used but not defined", file_, key.layer);
    }
    const State& state = found->second;
    const std::int64_t call = state.skips_first && key.call > 0 ? key.call - 1 : key.call;
    const auto outputs = state.outputs.find(call);
    if (outputs == state.outputs.end() || key.tensor < 0 ||
        key.tensor >= static_cast<std::int64_t>(outputs->second.size())) {
      return nullptr;
    }
    return &outputs->second[static_cast<std::size_t>(key.tensor)];
  }

  std::string file_;
  const KerasWeights& weights_;
  int keras_major_;
  GraphBuilder builder_;
};

int major_version(const std::string& version) {
  return version.empty() || version[0] < '0' || version[0] > '9' ? 2 : version[0] - '0';
}

}  // namespace

Graph import_keras(const std::string& config, const std::string& config_file, Hdf5Contents contents,
                   const std::string& weights_file) {
  const ConfigDocument document(config, config_file);
  const Config model = document.root();
  std::string version = model.text("keras_version", "");
  for (const char* key : {"@keras_version", "model_weights@keras_version"}) {
    const auto found = contents.texts.find(key);
    if (!version.empty() || found == contents.texts.end() || found->second.empty()) continue;
    version = found->second[0];
  }
  if (!is_model(model.text("class_name", ""))) {
    fail("keras", "{}: it holds no Functional or Sequential model", config_file);
  }
  const KerasWeights weights(model, std::move(contents), weights_file);
  return Importer(config_file, weights, major_version(version)).import(model);
}

Graph import_keras(const std::string& file) {
  const std::size_t colon = file.rfind(".json:");
  if (colon != std::string::npos) {
    const std::string config_file = file.substr(0, colon + 5);
    const std::string weights_file = file.substr(colon + 6);
    return import_keras(read_file_bytes(config_file), config_file, read_hdf5(weights_file),
                        weights_file);
  }
  if (file.ends_with(".keras")) {
    KerasArchive archive = read_keras_archive(file);
    return import_keras(archive.config, file, std::move(archive.weights), file);
  }
  Hdf5Contents contents = read_hdf5(file);
  const auto found = contents.texts.find("@model_config");
  if (found == contents.texts.end() || found->second.empty()) {
    fail("keras", "{}: it holds weights only; name the architecture too: ARCHITECTURE.json:{}",
         file, file);
  }
  const std::string config = found->second[0];
  return import_keras(config, file, std::move(contents), file);
}

}  // namespace flipscope
