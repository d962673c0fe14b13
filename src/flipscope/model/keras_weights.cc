#include "flipscope/model/keras_weights.h"

#include <algorithm>
#include <cctype>
#include <set>

#include "flipscope/numeric/error.h"

namespace flipscope {
namespace {

/// The weights of a layer in the order in which Keras lists them; `trainable` is false for those
/// that no optimizer touches.
std::vector<std::pair<std::string, bool>> weights_of(const std::string& class_name,
                                                     const Config& config) {
  const std::string plain = plain_class(class_name);
  std::vector<std::pair<std::string, bool>> weights;
  const bool trainable = config.flag("trainable", true);
  const auto add = [&](const char* name, bool of_optimizer = true) {
    weights.emplace_back(name, of_optimizer && trainable);
  };
  if (plain == "BatchNormalization" || plain == "LayerNormalization") {
    if (config.flag("scale", true)) add("gamma");
    if (config.flag("center", true)) add("beta");
    if (plain == "LayerNormalization") return weights;
    add("moving_mean", false);
    add("moving_variance", false);
    return weights;
  }
  if (plain == "PReLU") {
    add("alpha");
    return weights;
  }
  if (plain == "Normalization") {
    if (config["mean"].is_null()) {
      add("mean", false);
      add("variance", false);
      add("count", false);
    }
    return weights;
  }
  if (plain.starts_with("SeparableConv")) {
    add("depthwise_kernel");
    add("pointwise_kernel");
  } else if (plain.starts_with("DepthwiseConv")) {
    add("depthwise_kernel");
  } else if (plain == "Dense" || plain.starts_with("Conv")) {
    add("kernel");
  } else {
    return weights;
  }
  if (config.flag("use_bias", true)) add("bias");
  return weights;
}

std::string without_index(const std::string& name) {
  return name.substr(0, name.rfind(':'));
}

/// What Keras 3 calls a group after: "conv2d" of Conv2D, "max_pooling2d" of MaxPooling2D.
std::string snake_case(const std::string& class_name) {
  std::string name;
  const auto is = [&](std::size_t i, auto kind) {
    return i < class_name.size() && kind(static_cast<unsigned char>(class_name[i])) != 0;
  };
  const auto lower = [](unsigned char c) { return std::islower(c); };
  const auto upper = [](unsigned char c) { return std::isupper(c); };
  for (std::size_t i = 0; i < class_name.size(); ++i) {
    if (i > 0 && is(i, upper) && (is(i - 1, lower) || is(i + 1, lower))) name += '_';
    name += static_cast<char>(std::tolower(static_cast<unsigned char>(class_name[i])));
  }
  return name;
}

bool ends_with_path(const std::string& name, const std::string& path) {
  return name == path || name.ends_with("/" + path);
}

}  // namespace

Config layers_of(const Config& model) {
  const Config config = model["config"];
  return config.is_array() ? config : config["layers"];
}

bool is_model(const std::string& class_name) {
  return class_name == "Functional" || class_name == "Model" || class_name == "Sequential";
}

std::string name_of(const Config& layer) {
  const std::string name = layer.text("name", "");
  return name.empty() ? layer["config"].text("name", "") : name;
}

std::string plain_class(const std::string& class_name) {
  for (const char* prefix : {"FQ", "Q"}) {
    if (class_name.starts_with(prefix)) return class_name.substr(std::string(prefix).size());
  }
  return class_name;
}

KerasWeights::KerasWeights(const Config& model, Hdf5Contents contents, std::string file)
    : contents_(std::move(contents)), file_(std::move(file)) {
  if (contents_.texts.contains("model_weights@layer_names") ||
      contents_.texts.contains("model_weights@layer_names0")) {
    root_ = "model_weights";
  }
  const auto in_layers = contents_.datasets.lower_bound("layers/");
  if (in_layers != contents_.datasets.end() && in_layers->first.starts_with("layers/")) {
    assign_by_class(model, "", "layers", 0);
    return;
  }
  struct Layer {
    std::string name;
    std::vector<Slot> slots;
  };
  std::vector<Layer> layers;
  const Config entries = layers_of(model);
  for (std::size_t i = 0; i < entries.size(); ++i) {
    Layer layer{name_of(entries[i]), {}};
    collect(entries[i], layer.name, 0, layer.slots);
    if (layer.slots.empty()) continue;
    // Keras lists what the optimizer trains first.
    std::stable_partition(layer.slots.begin(), layer.slots.end(),
                          [](const Slot& slot) { return slot.trainable; });
    layers.push_back(std::move(layer));
  }

  std::vector<std::string> groups;
  std::set<std::string> known;
  for (const std::string& name : texts("", "layer_names")) {
    if (texts(name, "weight_names").empty()) continue;
    groups.push_back(name);
    known.insert(name);
  }
  const bool all_known = std::all_of(
      layers.begin(), layers.end(), [&](const Layer& layer) { return known.contains(layer.name); });
  for (std::size_t i = 0; i < layers.size(); ++i) {
    // A weights file of a model whose layers have other names matches in order.
    const bool in_order = !all_known && groups.size() == layers.size();
    assign(layers[i].slots, in_order ? groups[i] : layers[i].name);
  }
}

void KerasWeights::collect(const Config& layer, const std::string& path, int depth,
                           std::vector<Slot>& slots) const {
  if (depth > kMostNesting) fail("keras", "{}: models nest deeper than {}", file_, kMostNesting);
  const std::string class_name = layer.text("class_name", "");
  if (!is_model(class_name)) {
    for (const auto& [weight, trainable] : weights_of(class_name, layer["config"])) {
      slots.push_back({path + "/" + weight, name_of(layer), weight, trainable});
    }
    return;
  }
  const Config inner = layers_of(layer);
  for (std::size_t i = 0; i < inner.size(); ++i) {
    collect(inner[i], path + "/" + name_of(inner[i]), depth + 1, slots);
  }
}

void KerasWeights::assign(const std::vector<Slot>& slots, const std::string& group) {
  const std::vector<std::string> names = texts(group, "weight_names");
  const std::string base = (root_.empty() ? "" : root_ + "/") + group + "/";
  for (std::size_t i = 0; i < slots.size(); ++i) {
    const std::string suffix = slots[i].layer + "/" + slots[i].weight;
    const auto matches = [&](const std::string& name) {
      return ends_with_path(without_index(name), suffix);
    };
    const auto count = std::count_if(names.begin(), names.end(), matches);
    if (count == 1) {
      dataset_of_[slots[i].path] = base + *std::find_if(names.begin(), names.end(), matches);
    } else if (names.size() == slots.size()) {
      dataset_of_[slots[i].path] = base + names[i];
    }
  }
}

// Keras 3: layers/conv2d_1/vars/0 is the first weight of the second Conv2D of a model.
void KerasWeights::assign_by_class(const Config& model, const std::string& path,
                                   const std::string& group, int depth) {
  if (depth > kMostNesting) fail("keras", "{}: models nest deeper than {}", file_, kMostNesting);
  std::map<std::string, int> known;
  const Config layers = layers_of(model);
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const std::string class_name = layers[i].text("class_name", "");
    const std::string name = snake_case(class_name);
    const int number = known[name]++;
    const std::string own = number == 0 ? fmt::format("{}/{}", group, name)
                                        : fmt::format("{}/{}_{}", group, name, number);
    const std::string layer = path + name_of(layers[i]) + "/";
    if (is_model(class_name)) {
      assign_by_class(layers[i], layer, own + "/layers", depth + 1);
      continue;
    }
    int weight = 0;
    for (const auto& [what, trainable] : weights_of(class_name, layers[i]["config"])) {
      dataset_of_[layer + what] = fmt::format("{}/vars/{}", own, weight++);
    }
  }
}

std::vector<std::string> KerasWeights::texts(const std::string& path,
                                             const std::string& name) const {
  std::string full = root_;
  if (!path.empty()) full += (full.empty() ? "" : "/") + path;
  const auto found = contents_.texts.find(full + "@" + name);
  if (found != contents_.texts.end()) return found->second;
  // Keras cuts long lists into name0, name1, …
  std::vector<std::string> all;
  for (int part = 0;; ++part) {
    const auto piece = contents_.texts.find(fmt::format("{}@{}{}", full, name, part));
    if (piece == contents_.texts.end()) return all;
    all.insert(all.end(), piece->second.begin(), piece->second.end());
  }
}

const Tensor& KerasWeights::get(const std::string& layer, const std::string& weight,
                                const Shape& shape) const {
  const auto path = dataset_of_.find(layer + "/" + weight);
  const auto found =
      path == dataset_of_.end() ? contents_.datasets.end() : contents_.datasets.find(path->second);
  if (found == contents_.datasets.end()) {
    fail("keras", "{}: layer \"{}\": the file holds no `{}` for it", file_, layer, weight);
  }
  if (found->second.shape != shape) {
    fail("keras", "{}: layer \"{}\": `{}` must have the shape {}, got {}", file_, layer, weight,
         to_string(shape), to_string(found->second.shape));
  }
  return found->second;
}

}  // namespace flipscope
