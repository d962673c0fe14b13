#include "flipscope/engine/perturbation.h"

#include <algorithm>
#include <bit>

#include "flipscope/engine/difference.h"
#include "flipscope/engine/line_check.h"
#include "flipscope/engine/stage_run.h"
#include "flipscope/engine/workspace.h"

namespace flipscope {

struct PerturbedRun::State {
  explicit State(const Program& program)
      : work(program),
        producer(program.graph->values.size(), -1),
        last_reader(program.last_reader),
        stage_at(program.graph->nodes.size(), -1),
        line_value(decision_input(*program.graph)) {
    for (std::size_t n = 0; n < program.graph->nodes.size(); ++n) {
      producer[program.graph->nodes[n].output] = static_cast<int>(n);
    }
    last_reader[line_value] = last_reader[program.graph->outputs[0]];
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

  const float* pass_on(int value) { return pass_on(value, work.graph().outputs[0]); }

  const float* pass_on(int value, int end) {
    const Graph& graph = work.graph();
    passed.assign(graph.nodes.size(), false);
    for (int n = producer[value] + 1; n <= producer[end]; ++n) {
      if (!passed[n] && !try_stage(n, value)) pass_node(n);
    }
    return work.at(end);
  }

  void pass_node(int n) {
    const Graph& graph = work.graph();
    pass_difference(work, n, {});
    if (graph.nodes[n].output != graph.outputs[0] || line_value == graph.outputs[0]) {
      keep_lines(work, graph.nodes[n], line);
    }
  }

  void begin(const Block& golden, int value, std::span<const Addition> additions) {
    const std::int64_t count = std::ssize(additions), lanes = lanes_of(static_cast<int>(count));
    picked.assign(lanes, additions.front().lane);
    Ranges elements;
    for (std::int64_t l = 0; l < count; ++l) {
      picked[l] = additions[l].lane;
      const bool known = l > 0 && additions[l].elements == additions[l - 1].elements;
      if (!known) elements = united(elements, *additions[l].elements);
    }
    work.begin(golden, picked);
    line.assign(lanes, 1);
    work.ask(value, elements);
    float* own = work.writable(value);
    for (std::int64_t l = 0; l < count; ++l) {
      for (const Range& range : *additions[l].elements) {
        for (std::int64_t e = range.first; e < range.last; ++e) {
          own[e * lanes + l] += additions[l].delta;
        }
      }
    }
    work.note_changes(value, elements);
  }

  void write(int value, const Ranges& elements, const float* numbers) {
    const std::int64_t lanes = work.lanes();
    line.assign(lanes, 0);
    float* own = work.writable(value);
    for (const Range& range : elements) {
      const std::int64_t count = (range.last - range.first) * lanes;
      std::copy_n(numbers, count, own + range.first * lanes);
      numbers += count;
    }
    work.note_changes(value, elements);
  }

  bool is_reached(const Node& node) const {
    return std::ranges::any_of(node.inputs, [&](const Input& input) {
      return input.kind == Input::Kind::value && !work.changed(input.id).empty();
    });
  }

  /// Notes what differs of a value.
  void note_reached(int v) {
    const float* now = work.rows(v);
    for (const Range& range : work.changed(v)) {
      for (std::int64_t e = range.first; e < range.last; ++e) {
        const float* golden = work.golden_row(v, e);
        for (int l = 0; l < work.lanes(); ++l) {
          const auto bits = std::bit_cast<std::uint32_t>(now[e * work.lanes() + l]);
          if (std::bit_cast<std::uint32_t>(golden[l]) == bits) continue;
          reached[l].insert(reached[l].end(),
                            {static_cast<std::uint64_t>(v), static_cast<std::uint64_t>(e), bits});
        }
      }
    }
  }

  Workspace work;
  std::vector<std::int32_t> picked;
  std::vector<std::vector<std::uint64_t>> reached;  ///< [lane] values, elements and bits
  std::vector<int> producer;                        ///< [value] node that makes it, or −1
  std::vector<int> last_reader;  ///< [value] the last node that reads it; behind all for outputs
  std::vector<int> stage_at;     ///< [node] stage that begins here, or −1
  std::vector<bool> passed;      ///< [node] by its stage
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

const float* PerturbedRun::add(const Block& golden, int value,
                               std::span<const Addition> additions) {
  state_->begin(golden, value, additions);
  return state_->pass_on(value);
}

const std::vector<std::vector<std::uint64_t>>& PerturbedRun::reach(
    const Block& golden, int value, std::span<const Addition> additions) {
  Workspace& work = state_->work;
  const Graph& graph = work.graph();
  state_->begin(golden, value, additions);
  state_->reached.resize(work.lanes());
  for (std::vector<std::uint64_t>& of : state_->reached) of.clear();
  const int nodes = static_cast<int>(graph.nodes.size());
  int n = state_->producer[value] + 1;
  while (n < nodes && !(is_weighted(graph.nodes[n]) && state_->is_reached(graph.nodes[n]))) {
    state_->pass_node(n++);
  }
  for (std::size_t v = 0; v < graph.values.size(); ++v) {
    if (state_->last_reader[v] >= n) state_->note_reached(static_cast<int>(v));
  }
  return state_->reached;
}

const float* PerturbedRun::replace(const Block& golden, int value, const Ranges& elements,
                                   const float* numbers) {
  state_->work.begin(golden);
  state_->write(value, elements, numbers);
  return state_->pass_on(value);
}

const float* PerturbedRun::replace_to(int end, const Block& golden,
                                      std::span<const std::int32_t> picked, int value,
                                      const Ranges& elements, const float* numbers) {
  state_->work.begin(golden, picked);
  state_->write(value, elements, numbers);
  return state_->pass_on(value, end);
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
