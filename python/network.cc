// A network in memory: its golden and faulty outputs as arrays, and what its tensors store.
#include "network.h"

#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "flipscope/model/lower.h"
#include "flipscope/model/model.h"
#include "flipscope/numeric/error.h"
#include "golden_outputs.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace flipscope::python {

namespace {

/// A flipped bit: tensor, element in C order, bit from 0 = least significant.
using Flip = std::tuple<std::string, std::int64_t, int>;
using InputArray = nb::ndarray<const float, nb::c_contig, nb::device::cpu>;

template <typename T>
nb::ndarray<nb::numpy, T> array_of(std::vector<T> values, const Shape& shape) {
  auto* const held = new std::vector<T>(std::move(values));
  const nb::capsule owner(held, [](void* p) noexcept { delete static_cast<std::vector<T>*>(p); });
  const std::vector<std::size_t> dimensions(shape.begin(), shape.end());
  return {held->data(), dimensions.size(), dimensions.data(), owner};
}

class Network {
 public:
  explicit Network(const std::string& path) : graph_(load_model(path, {})) {}

  std::string name() const { return graph_.name; }
  Shape input_shape() const { return graph_.values[graph_.inputs.front()].shape; }
  Shape output_shape() const { return graph_.values[graph_.outputs.front()].shape; }
  std::string layout() const { return graph_.layout == Layout::channel_first ? "nchw" : "nhwc"; }

  nb::list tensors() const {
    nb::list list;
    for (const StoredTensor& stored : graph_.stored) {
      if (stored.part == Part::none) continue;
      nb::dict row;
      row["name"] = stored.name;
      row["layer"] = stored.layer;
      row["part"] = to_string(stored.part);
      row["shape"] = nb::tuple(nb::cast(stored.shape));
      row["format"] = to_string(stored.encoding);
      row["bits"] = stored.encoding.format.bits;
      if (!stored.encoding.elements.empty()) row["widths"] = widths_of(stored);
      list.append(row);
    }
    return list;
  }

  /// The numbers that the words of a tensor stand for, under these flips.
  nb::ndarray<nb::numpy, double> values(const std::string& tensor,
                                        const std::vector<Flip>& flips) const {
    StoredTensor stored = graph_.stored[find(tensor)];
    for (const Flip& f : flips) {
      if (std::get<0>(f) == tensor) strike(stored, f);
    }
    std::vector<double> numbers(stored.words.size());
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      numbers[i] = real_value(stored, static_cast<std::int64_t>(i), stored.words[i]);
    }
    return array_of(std::move(numbers), stored.shape);
  }

  /// Outputs [sample, …] of inputs [sample, …] in the model's own units and layout, under these
  /// flips.
  nb::ndarray<nb::numpy, float> run(const InputArray& inputs, const std::vector<Flip>& flips,
                                    int threads) const {
    const Shape in = input_shape();
    const std::int64_t size = element_count({in.begin() + 1, in.end()});
    const auto total = static_cast<std::int64_t>(inputs.size());
    const std::int64_t count = inputs.ndim() == 0 ? 0 : static_cast<std::int64_t>(inputs.shape(0));
    if (count == 0 || total != count * size) {
      Shape given;
      for (std::size_t d = 0; d < inputs.ndim(); ++d) given.push_back(inputs.shape(d));
      fail("samples", "the array is {}; the model's input is {} with the samples first",
           to_string(given), to_string(in));
    }
    std::vector<float> outputs;
    {
      const nb::gil_scoped_release unlocked;
      if (flips.empty()) {
        outputs = outputs_of(graph_, inputs.data(), count, threads);
      } else {
        Graph faulty = graph_;
        for (const Flip& f : flips) strike(faulty.stored[find(std::get<0>(f))], f);
        choose_carriers(faulty);
        outputs = outputs_of(faulty, inputs.data(), count, threads);
      }
    }
    Shape shape = output_shape();
    if (!shape.empty() && shape.front() == 1) shape.erase(shape.begin());
    shape.insert(shape.begin(), count);
    return array_of(std::move(outputs), shape);
  }

 private:
  static nb::ndarray<nb::numpy, std::int32_t> widths_of(const StoredTensor& stored) {
    std::vector<std::int32_t> widths;
    for (const ElementBits& element : stored.encoding.elements) widths.push_back(element.count);
    return array_of(std::move(widths), stored.shape);
  }

  static std::vector<float> outputs_of(const Graph& graph, const float* inputs, std::int64_t count,
                                       int threads) {
    return cli::golden_outputs(Program(graph), inputs, count, threads,
                               [](std::uint64_t, std::uint64_t, double) {});
  }

  std::size_t find(const std::string& tensor) const {
    std::string names;
    for (std::size_t s = 0; s < graph_.stored.size(); ++s) {
      if (graph_.stored[s].part == Part::none) continue;
      if (graph_.stored[s].name == tensor) return s;
      names += (names.empty() ? "" : ", ") + graph_.stored[s].name;
    }
    fail("fault", "no tensor is called '{}'; the stored tensors are {}", tensor, names);
  }

  static void strike(StoredTensor& stored, const Flip& struck) {
    const auto& [tensor, index, bit] = struck;
    const std::int64_t elements = std::ssize(stored.words);
    if (index < 0 || index >= elements) {
      fail("fault", "'{}' has elements 0 to {}, not {}", tensor, elements - 1, index);
    }
    const int bits = stored.encoding.width(index);
    if (bit < 0 || bit >= bits) {
      if (!stored.encoding.elements.empty()) {
        fail("fault", "element {} of '{}' stores {} bits; it has no bit {}", index, tensor, bits,
             bit);
      }
      fail("fault", "'{}' has bits 0 to {}, not {}", tensor, bits - 1, bit);
    }
    Word& word = stored.words[static_cast<std::size_t>(index)];
    word ^= stored.encoding.mask(index, bit);
  }

  Graph graph_;
};

}  // namespace

void bind_network(nb::module_& m) {
  nb::class_<Network>(m, "Network", "A network in memory, read from the files that `path` names.")
      .def(nb::init<const std::string&>(), "path"_a, nb::call_guard<nb::gil_scoped_release>())
      .def_prop_ro("name", &Network::name)
      .def_prop_ro("input_shape", &Network::input_shape)
      .def_prop_ro("output_shape", &Network::output_shape)
      .def_prop_ro("layout", &Network::layout)
      .def("tensors", &Network::tensors, "A dictionary for each stored tensor.")
      .def("values", &Network::values, "tensor"_a, "flips"_a)
      .def("run", &Network::run, "inputs"_a, "flips"_a, "threads"_a);
}

}  // namespace flipscope::python
