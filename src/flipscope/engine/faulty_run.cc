#include "flipscope/engine/faulty_run.h"

#include <algorithm>
#include <cassert>
#include <map>
#include <utility>

#include "flipscope/engine/difference.h"
#include "flipscope/engine/stage_run.h"
#include "flipscope/engine/strike.h"
#include "flipscope/engine/workspace.h"

namespace flipscope {

struct FaultyRun::State {
  State(const Program& program, const FaultSpace& fault_space, Method how)
      : work(program),
        space(fault_space),
        method(how),
        patches_of(program.graph->nodes.size()),
        stage_at(program.graph->nodes.size(), -1) {
    for (std::size_t s = 0; s < program.stages->size(); ++s) {
      stage_at[(*program.stages)[s].nodes.front()] = static_cast<int>(s);
    }
  }

  const float* run_to(int value, const Block& golden, const Fault& fault);
  void sort_sites(const Fault& fault);
  void note_readers();
  void patch_constants(const Fault& fault);
  void strike_values(const Fault& fault, int value);
  void pass_differences(const Fault& fault);
  void recompute(const Fault& fault);
  void strike_operands(const Fault& fault, int node);
  /// Passes a whole stage where it can serve and nothing strikes or is wanted inside it.
  void try_stage(std::size_t index);
  /// A copy of a value as the run has it, whose elements may be struck and set back.
  AlignedVector<float>& operand_copy(int value);
  /// Elements of `constant` that read each word of its stored tensor, made when first needed.
  const std::vector<std::vector<std::int32_t>>& elements_reading(int constant);

  Workspace work;
  const FaultSpace& space;
  Method method;
  std::map<int, std::vector<FaultSite>> value_sites, operand_sites;
  std::vector<std::vector<int>> patches_of;  ///< [node] those that it reads
  std::map<int, std::vector<std::vector<std::int32_t>>> readers;
  struct OperandCopy {
    std::uint64_t serial = 0;  ///< of the block that it was made for
    AlignedVector<float> numbers;
    Ranges differs;  ///< from the golden value
  };
  std::map<int, OperandCopy> operands;  ///< by value
  std::vector<int> stage_at;            ///< [node] stage that begins here, or −1
  std::vector<bool> passed;             ///< [node] by its stage
  int wanted = -1;                      ///< value that the run goes to
};

const char* to_string(Method method) {
  switch (method) {
    case Method::difference:
      break;
    case Method::suffix:
      return "suffix";
    case Method::whole:
      return "whole";
  }
  return "difference";
}

FaultyRun::FaultyRun(const Program& program, const FaultSpace& space, Method method)
    : state_(std::make_unique<State>(program, space, method)) {}
FaultyRun::~FaultyRun() = default;
FaultyRun::FaultyRun(FaultyRun&&) noexcept = default;

const float* FaultyRun::operator()(const Block& golden, const Fault& fault) {
  return state_->run_to(state_->work.graph().outputs[0], golden, fault);
}

const float* FaultyRun::run_to(int value, const Block& golden, const Fault& fault) {
  return state_->run_to(value, golden, fault);
}

const Ranges& FaultyRun::changed(int value) const {
  return state_->work.changed(value);
}

const std::vector<std::vector<std::int32_t>>& FaultyRun::State::elements_reading(int constant) {
  auto [entry, is_new] = readers.try_emplace(constant);
  if (is_new) {
    const Constant& reads = work.graph().constants[constant];
    entry->second.resize(work.graph().stored[reads.stored].words.size());
    for (std::size_t i = 0; i < reads.source.size(); ++i) {
      if (reads.source[i] < 0) continue;
      entry->second[reads.source[i]].push_back(static_cast<std::int32_t>(i));
    }
  }
  return entry->second;
}

void FaultyRun::State::sort_sites(const Fault& fault) {
  value_sites.clear();
  operand_sites.clear();
  for (const FaultSite& site : fault.sites) {
    const FaultTarget& target = space.targets()[site.target];
    if (target.part == Part::activations || target.part == Part::inputs) {
      value_sites[target.id].push_back(site);
    } else if (target.part == Part::operands) {
      operand_sites[target.id].push_back(site);
    }
  }
}

void FaultyRun::State::patch_constants(const Fault& fault) {
  assert(std::ranges::is_sorted(fault.sites));  // Sites of one word stand side by side.
  const Graph& graph = work.graph();
  for (auto site = fault.sites.begin(); site != fault.sites.end();) {
    const FaultTarget& target = space.targets()[site->target];
    if (!is_stored(target.part)) {
      ++site;
      continue;
    }
    const FaultSite first = *site;
    Word word = graph.stored[target.id].words[first.index];
    for (; site != fault.sites.end() && site->target == first.target && site->index == first.index;
         ++site) {
      word = strike(fault.effect, target.encoding, site->index, word, site->bit);
    }
    for (int constant : work.program().readers_of_stored[target.id]) {
      const Constant& reads = graph.constants[constant];
      if (reads.source.empty()) {
        work.patch(constant, first.index, read_element(graph, reads, first.index, word));
        continue;
      }
      for (std::int32_t element : elements_reading(constant)[first.index]) {
        work.patch(constant, element, read_element(graph, reads, element, word));
      }
    }
  }
}

void FaultyRun::State::note_readers() {
  for (std::vector<int>& patches : patches_of) patches.clear();
  for (std::size_t k = 0; k < work.patches().size(); ++k) {
    for (int reader : work.program().readers_of_constant[work.patches()[k].constant]) {
      patches_of[reader].push_back(static_cast<int>(k));
    }
  }
}

void FaultyRun::State::strike_values(const Fault& fault, int value) {
  const auto found = value_sites.find(value);
  if (found == value_sites.end()) return;
  float* own = work.writable(value);
  const Value& what = work.graph().values[value];
  const int lanes = work.block().lanes;
  Ranges struck;
  for (const FaultSite& site : found->second) {
    const std::size_t channel = what.encoding.channel(site.index, what.shape);
    float* at = own + site.index * lanes;
    for (int lane = 0; lane < lanes; ++lane) {
      at[lane] = strike_value(fault.effect, what.encoding, channel, at[lane], site.bit);
    }
    append(struck, {site.index, site.index + 1});
  }
  work.note_changes(value, united(work.changed(value), struck));
}

void FaultyRun::State::strike_operands(const Fault& fault, int index) {
  const auto found = operand_sites.find(index);
  if (found == operand_sites.end()) return;
  const Graph& graph = work.graph();
  const Node& node = graph.nodes[index];
  const int data = data_operand(node);
  const int source = node.inputs[data].id;
  const Value& x = graph.values[source];
  const Shape& out_shape = graph.values[node.output].shape;
  const int lanes = work.block().lanes;

  // Reads of one output element are struck together, on a copy of the operand of their own.
  std::map<std::int64_t, std::vector<std::pair<OperandRead, int>>> reads;
  for (const FaultSite& site : found->second) {
    const OperandRead read = operand_read(graph, index, site.index);
    reads[read.output].push_back({read, site.bit});
  }
  AlignedVector<float>& operand = operand_copy(source);
  // An output element is computed with its whole row of a matrix product or batch: those are put
  // aside, and only the element itself is kept.
  const bool alone = out_shape.size() > 1 &&
                     element_count(out_shape) == (std::holds_alternative<MatrixProduct>(node.op)
                                                      ? out_shape.back()
                                                      : out_shape[1] * strides_of(out_shape)[1]);
  float* out = work.writable(node.output);
  AlignedVector<float> aside(alone ? 0 : element_count(out_shape) * lanes);
  float* const computed = alone ? out : aside.data();
  Ranges struck_outputs;
  for (const auto& [output, struck] : reads) {
    for (const auto& [read, bit] : struck) {
      const std::size_t channel = x.encoding.channel(read.input, x.shape);
      float* at = operand.data() + read.input * lanes;
      for (int lane = 0; lane < lanes; ++lane) {
        at[lane] = strike_value(fault.effect, x.encoding, channel, at[lane], bit);
      }
    }
    std::vector<View<float>> views = work.views(node);
    views[data].data = operand.data();
    forward_output(node, views, out_shape, output, computed, lanes);
    if (!alone) std::copy_n(computed + output * lanes, lanes, out + output * lanes);
    for (const auto& [read, bit] : struck) {
      std::copy_n(work.at(source) + read.input * lanes, lanes, operand.data() + read.input * lanes);
    }
    append(struck_outputs, {output, output + 1});
  }
  work.note_changes(node.output, united(work.changed(node.output), struck_outputs));
}

AlignedVector<float>& FaultyRun::State::operand_copy(int value) {
  OperandCopy& copy = operands[value];
  const std::int64_t lanes = work.block().lanes;
  if (copy.serial != work.block().serial) {
    const AlignedVector<float>& golden = work.block().values[value];
    copy.numbers = golden;
    copy.serial = work.block().serial;
    copy.differs.clear();
  }
  const Ranges& changed = work.changed(value);
  const float* now = work.at(value);
  for (const Range& range : united(copy.differs, changed)) {
    std::copy(now + range.first * lanes, now + range.last * lanes,
              copy.numbers.data() + range.first * lanes);
  }
  copy.differs = changed;
  return copy.numbers;
}

void FaultyRun::State::try_stage(std::size_t index) {
  const Stage& stage = (*work.program().stages)[index];
  std::vector<int> patches;
  for (int n : stage.nodes) {
    const int made = work.graph().nodes[n].output;
    const bool inside = made != stage.output;
    if (operand_sites.contains(n)) return;
    if (inside && (made == wanted || value_sites.contains(made))) return;
    patches.insert(patches.end(), patches_of[n].begin(), patches_of[n].end());
  }
  if (!pass_stage(work, index, patches)) return;
  for (int n : stage.nodes) passed[n] = true;
}

void FaultyRun::State::pass_differences(const Fault& fault) {
  const Graph& graph = work.graph();
  passed.assign(graph.nodes.size(), false);
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    const int index = static_cast<int>(n);
    if (stage_at[n] >= 0) try_stage(static_cast<std::size_t>(stage_at[n]));
    if (!passed[n]) pass_difference(work, index, patches_of[n]);
    strike_operands(fault, index);
    strike_values(fault, graph.nodes[n].output);
    if (graph.nodes[n].output == wanted) return;
  }
}

void FaultyRun::State::recompute(const Fault& fault) {
  const Graph& graph = work.graph();
  bool started = method == Method::whole || !work.changed(graph.inputs[0]).empty();
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    const int index = static_cast<int>(n);
    const Node& node = graph.nodes[n];
    const Shape& shape = graph.values[node.output].shape;
    started = started || !patches_of[n].empty();
    if (started) {
      forward<float>(node.op, work.views(node), shape, work.overwritable(node.output),
                     work.block().lanes);
      work.note_all_changed(node.output);
    }
    strike_operands(fault, index);
    strike_values(fault, node.output);
    if (node.output == wanted) return;
    started = started || !work.changed(node.output).empty();
  }
}

const float* FaultyRun::State::run_to(int value, const Block& golden, const Fault& fault) {
  wanted = value;
  const Graph& graph = work.graph();
  sort_sites(fault);
  work.begin(golden);
  patch_constants(fault);
  note_readers();
  for (int input : graph.inputs) strike_values(fault, input);
  if (method == Method::difference) {
    pass_differences(fault);
  } else {
    recompute(fault);
  }
  work.end();
  return work.at(value);
}

}  // namespace flipscope
