#include "flipscope/engine/perturbation.h"

#include <algorithm>

#include "flipscope/engine/difference.h"
#include "flipscope/engine/line_check.h"
#include "flipscope/engine/stage_run.h"
#include "flipscope/engine/workspace.h"

namespace flipscope {

struct PerturbedRun::State {
  explicit State(const Program& program)
      : work(program),
        producer(program.graph->values.size(), -1),
        stage_at(program.graph->nodes.size(), -1),
        line_value(decision_input(*program.graph)) {
    for (std::size_t n = 0; n < program.graph->nodes.size(); ++n) {
      producer[program.graph->nodes[n].output] = static_cast<int>(n);
    }
    for (std::size_t s = 0; s < program.stages->size(); ++s) {
      stage_at[(*program.stages)[s].nodes.front()] = static_cast<int>(s);
    }
  }

  /// Passes a whole stage that begins at this node, where no perturbed value lies inside it.
  bool try_stage(int n, int value) {
    if (stage_at[n] < 0) return false;
    const Stage& stage = (*work.program().stages)[stage_at[n]];
    const bool inside = std::ranges::any_of(stage.nodes, [&](int k) {
      const int made = work.graph().nodes[k].output;
      return made != stage.output && (made == value || made == line_value);
    });
    if (inside || !pass_stage(work, stage_at[n], {})) return false;
    for (int k : stage.nodes) passed[k] = true;
    if (stage.writes_codes) keep_unchanged(work, stage.output, line);
    return true;
  }

  const float* pass_on(int value) {
    const Graph& graph = work.graph();
    passed.assign(graph.nodes.size(), false);
    for (int n = producer[value] + 1; n < std::ssize(graph.nodes); ++n) {
      if (passed[n] || try_stage(n, value)) continue;
      pass_difference(work, n, {});
      if (graph.nodes[n].output != graph.outputs[0] || line_value == graph.outputs[0]) {
        keep_lines(work, graph.nodes[n], line);
      }
    }
    return work.at(graph.outputs[0]);
  }

  Workspace work;
  std::vector<int> producer;  ///< [value] node that makes it, or −1
  std::vector<int> stage_at;  ///< [node] stage that begins here, or −1
  std::vector<bool> passed;   ///< [node] by its stage
  std::vector<std::uint8_t> line;
  int line_value;
};

PerturbedRun::PerturbedRun(const Program& program) : state_(std::make_unique<State>(program)) {}
PerturbedRun::~PerturbedRun() = default;
PerturbedRun::PerturbedRun(PerturbedRun&&) noexcept = default;

const float* PerturbedRun::add(const Block& golden, int value, const Ranges& elements,
                               std::span<const float> delta) {
  Workspace& work = state_->work;
  const std::int64_t lanes = golden.lanes;
  work.begin(golden);
  state_->line.assign(golden.lanes, 1);
  float* own = work.writable(value);
  for (const Range& range : elements) {
    for (std::int64_t e = range.first; e < range.last; ++e) {
      for (std::int64_t lane = 0; lane < lanes; ++lane) {
        // −0 + 0 would be +0.
        if (delta[lane] != 0) own[e * lanes + lane] += delta[lane];
      }
    }
  }
  work.note_changes(value, elements);
  return state_->pass_on(value);
}

const float* PerturbedRun::replace(const Block& golden, int value, const Ranges& elements,
                                   const float* numbers) {
  Workspace& work = state_->work;
  work.begin(golden);
  state_->line.assign(golden.lanes, 0);
  float* own = work.writable(value);
  for (const Range& range : elements) {
    const std::int64_t count = (range.last - range.first) * golden.lanes;
    std::copy_n(numbers, count, own + range.first * golden.lanes);
    numbers += count;
  }
  work.note_changes(value, elements);
  return state_->pass_on(value);
}

const std::vector<std::uint8_t>& PerturbedRun::on_line() const {
  return state_->line;
}

int PerturbedRun::line_value() const {
  return state_->line_value;
}

const float* PerturbedRun::line_output() {
  return state_->work.at(state_->line_value);
}

}  // namespace flipscope
