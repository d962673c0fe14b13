// For tests: runs a Graph node by node, all lanes alike.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "flipscope/model/graph.h"
#include "flipscope/numeric/aligned.h"

namespace flipscope {

/// The outputs for one sample, which every lane holds; lanes must agree.
inline std::vector<std::vector<float>> run_graph(const Graph& graph,
                                                 const std::vector<std::vector<float>>& inputs) {
  constexpr int kLanes = kLaneGroup;
  std::vector<AlignedVector<float>> values(graph.values.size());
  for (std::size_t k = 0; k < graph.inputs.size(); ++k) {
    auto& value = values[graph.inputs[k]];
    for (const float x : inputs.at(k)) value.insert(value.end(), kLanes, x);
  }
  std::vector<std::vector<double>> wide(graph.constants.size());
  std::vector<AlignedVector<float>> narrow(graph.constants.size());
  for (std::size_t k = 0; k < wide.size(); ++k) {
    wide[k] = read_constant(graph, graph.constants[k]);
    for (const double x : wide[k]) narrow[k].push_back(static_cast<float>(x));
  }
  for (const Node& node : graph.nodes) {
    std::vector<View<float>> views;
    for (const Input& input : node.inputs) {
      View<float> view;
      if (input.kind == Input::Kind::value) view = {values[input.id].data(), &input.shape};
      if (input.kind == Input::Kind::constant) {
        view = {narrow[input.id].data(), &input.shape, true, wide[input.id].data()};
      }
      views.push_back(view);
    }
    const Shape& shape = graph.values[node.output].shape;
    auto& out = values[node.output];
    out.assign(static_cast<std::size_t>(element_count(shape)) * kLanes, -77);
    forward<float>(node.op, views, shape, out.data(), kLanes);
  }
  std::vector<std::vector<float>> outputs;
  for (const int output : graph.outputs) {
    auto& lanes = outputs.emplace_back();
    for (std::size_t i = 0; i < values[output].size(); i += kLanes) {
      const auto first = values[output].begin() + static_cast<std::ptrdiff_t>(i);
      const bool equal = std::all_of(first, first + kLanes, [&](float x) {
        return x == *first || (x != x && *first != *first);
      });
      if (!equal) ADD_FAILURE() << "lanes differ at element " << i / kLanes;
      lanes.push_back(*first);
    }
  }
  return outputs;
}

}  // namespace flipscope
