// A graph made ready to run: its constants as numbers, in the layout of the kernels.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "flipscope/engine/stage.h"
#include "flipscope/model/graph.h"
#include "flipscope/numeric/aligned.h"

namespace flipscope {

/// Owns nothing of the graph, which must outlive it.
struct Program {
  explicit Program(const Graph& graph);

  const Graph* graph;
  std::vector<AlignedVector<float>> constants;  ///< [constant][element]
  std::vector<std::vector<double>> wide;        ///< the same, for operators that sum in float64
  /// For each stored tensor the constants that read it, and for each constant the nodes that do.
  std::vector<std::vector<int>> readers_of_stored;
  std::vector<std::vector<int>> readers_of_constant;
  std::vector<int> last_reader;  ///< [value] node, −1: none; behind all for outputs
  /// Layers on packed codes, made of the golden constants; shared by copies.
  std::shared_ptr<const std::vector<Stage>> stages;
  std::vector<std::optional<PackedShape>> packed;  ///< [value] how stages read or write it
};

}  // namespace flipscope
