#include "flipscope/engine/program.h"

namespace flipscope {

Program::Program(const Graph& lowered) : graph(&lowered) {
  readers_of_stored.resize(lowered.stored.size());
  readers_of_constant.resize(lowered.constants.size());
  last_reader.resize(lowered.values.size(), -1);
  for (std::size_t k = 0; k < lowered.constants.size(); ++k) {
    wide.push_back(read_constant(lowered, lowered.constants[k]));
    constants.emplace_back(wide.back().begin(), wide.back().end());
    readers_of_stored[lowered.constants[k].stored].push_back(static_cast<int>(k));
  }
  for (std::size_t n = 0; n < lowered.nodes.size(); ++n) {
    for (const Input& input : lowered.nodes[n].inputs) {
      if (input.kind == Input::Kind::value) last_reader[input.id] = static_cast<int>(n);
      if (input.kind != Input::Kind::constant) continue;
      std::vector<int>& readers = readers_of_constant[input.id];
      if (readers.empty() || readers.back() != static_cast<int>(n)) {
        readers.push_back(static_cast<int>(n));
      }
    }
  }
  for (const int output : lowered.outputs) {
    last_reader[output] = static_cast<int>(lowered.nodes.size());
  }
  stages = std::make_shared<const std::vector<Stage>>(find_stages(*this));
  packed = packed_values(lowered, *stages);
}

}  // namespace flipscope
