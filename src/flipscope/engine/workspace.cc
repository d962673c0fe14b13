#include "flipscope/engine/workspace.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "flipscope/engine/stage_run.h"
#include "flipscope/ops/dot.h"

namespace flipscope {
template <typename T>
void Workspace::Form<T>::forget() {
  copied.assign(copied.size(), false);
  for (std::vector<Difference>& differences : stale) differences.clear();
}

bool can_pick(const Program& program) {
  return program.stages->empty() &&
         std::ranges::none_of(program.graph->nodes,
                              [](const Node& node) { return adds_exactly(node.op); });
}

Workspace::Workspace(const Program& golden_program)
    : program_(golden_program),
      picked_(golden_program.graph->values.size()),
      numbers_(golden_program.graph->values.size()),
      bytes_(golden_program.graph->values.size()),
      changed_(golden_program.graph->values.size()),
      positions_(golden_program.graph->values.size()),
      sums_(golden_program.graph->nodes.size()),
      summed_(sums_.size(), false),
      stage_sums_(golden_program.stages->size()),
      stage_summed_(stage_sums_.size(), false) {}

void Workspace::forget_changes() {
  for (Ranges& changed : changed_) changed.clear();
  for (Positions& positions : positions_) positions.clear();
}

void Workspace::begin(const Block& block, std::span<const std::int32_t> picked) {
  block_ = &block;
  picks_ = true;
  serial_ = 0;
  picked_.begin(block, picked);
  forget_changes();
}

void Workspace::begin(const Block& block) {
  block_ = &block;
  if (picks_) {
    picks_ = false;
    forget_changes();
  }
  for (std::size_t v = 0; v < changed_.size(); ++v) {
    if (changed_[v].empty()) continue;
    if (numbers_.current[v]) numbers_.stale[v].push_back({changed_[v], {}});
    if (bytes_.current[v]) bytes_.stale[v].push_back({changed_[v], positions_[v]});
    changed_[v].clear();
    positions_[v].clear();
  }
  if (block.serial == serial_) return;
  serial_ = block.serial;
  numbers_.forget();
  bytes_.forget();
  summed_.assign(summed_.size(), false);
  stage_summed_.assign(stage_summed_.size(), false);
}

const float* Workspace::rows(int v) {
  if (!picks_) return at(v);
  picked_.open(v, element_count(graph().values[v].shape));
  return picked_.data(v);
}

void Workspace::ask(int v, const Ranges& rows) {
  if (!picks_) return;
  picked_.open(v, element_count(graph().values[v].shape));
  for (const Range& range : rows) picked_.hold(v, range);
}

const float* Workspace::golden_row(int v, std::int64_t element, int which) {
  return picks_ ? picked_.golden_row(v, element, which) : golden(v) + element * block_->lanes;
}

const float* Workspace::at(int v) {
  if (picks_) {
    ask(v, {{0, element_count(graph().values[v].shape)}});
    return picked_.data(v);
  }
  if (changed_[v].empty()) return golden(v);
  if (!numbers_.current[v]) unpack(v);
  return numbers_.copies[v].data();
}

const std::uint8_t* Workspace::bytes(int v) {
  if (golden_bytes(v) == nullptr || changed_[v].empty()) return golden_bytes(v);
  if (!bytes_.current[v] && !pack(v)) return nullptr;
  return bytes_.copies[v].data();
}

float* Workspace::writable(int v) {
  if (picks_) {
    picked_.open(v, element_count(graph().values[v].shape));
    return picked_.data(v);
  }
  if (!changed_[v].empty() && !numbers_.current[v]) unpack(v);
  const AlignedVector<float>& golden = block_->values[v];
  AlignedVector<float>& copy = numbers_.copies[v];
  if (!numbers_.copied[v]) {
    copy = golden;
    numbers_.copied[v] = true;
  } else {
    for (const Difference& left : numbers_.stale[v]) {
      for (const Range& range : left.changed) {
        const std::int64_t first = range.first * block_->lanes, last = range.last * block_->lanes;
        std::copy(golden.begin() + first, golden.begin() + last, copy.begin() + first);
      }
    }
  }
  numbers_.stale[v].clear();
  return copy.data();
}

float* Workspace::overwritable(int v) {
  if (picks_) return writable(v);
  numbers_.copies[v].resize(block_->values[v].size());
  numbers_.copied[v] = true;
  numbers_.stale[v].clear();
  return numbers_.copies[v].data();
}

std::uint8_t* Workspace::writable_bytes(int v) {
  const AlignedVector<std::uint8_t>& golden = block_->packed[v];
  AlignedVector<std::uint8_t>& copy = bytes_.copies[v];
  if (!bytes_.copied[v]) {
    copy = golden;
    bytes_.copied[v] = true;
  } else {
    for (const Difference& left : bytes_.stale[v]) restore_bytes(v, left);
  }
  bytes_.stale[v].clear();
  return copy.data();
}

void Workspace::restore_bytes(int v, const Difference& difference) {
  const std::int64_t plane = program_.packed[v]->plane;
  const int in_word = program_.packed[v]->in_word();
  const std::int64_t place = std::int64_t{block_->lanes} * kWord;
  const std::uint8_t* golden = block_->packed[v].data();
  std::uint8_t* copy = bytes_.copies[v].data();
  for (const Range& range : difference.changed) {
    const std::int64_t first = range.first / plane / in_word;
    const std::int64_t last = (range.last - 1) / plane / in_word + 1;
    if (difference.positions.empty()) {
      std::copy(golden + first * plane * place, golden + last * plane * place,
                copy + first * plane * place);
      continue;
    }
    for (std::int64_t group = first; group < last; ++group) {
      for (std::int32_t p : difference.positions) {
        std::copy_n(golden + (group * plane + p) * place, place,
                    copy + (group * plane + p) * place);
      }
    }
  }
}

std::uint8_t* Workspace::overwritable_bytes(int v) {
  bytes_.copies[v].resize(block_->packed[v].size());
  bytes_.copied[v] = true;
  bytes_.stale[v].clear();
  return bytes_.copies[v].data();
}

void Workspace::note_changed_bytes(int v, Ranges changed, Positions positions) {
  changed_[v] = std::move(changed);
  positions_[v] = std::move(positions);
  bytes_.current[v] = true;
  numbers_.current[v] = false;
}

void Workspace::unpack(int v) {
  const Ranges changed = std::exchange(changed_[v], {});
  float* copy = writable(v);
  const PackedShape& shape = *program_.packed[v];
  for (const Range& range : changed) {
    unpack_channels(shape, bytes_.copies[v].data(), range.first / shape.plane,
                    range.last / shape.plane, positions_[v], block_->lanes, copy);
  }
  changed_[v] = changed;
  numbers_.current[v] = true;
}

bool Workspace::pack(int v) {
  std::uint8_t* copy = writable_bytes(v);
  const PackedShape& shape = *program_.packed[v];
  bool all_bytes = true;
  for (const Range& range : changed_[v]) {
    const std::int64_t first = range.first / shape.plane;
    const std::int64_t last = (range.last - 1) / shape.plane + 1;
    all_bytes = pack_channels(shape, numbers_.copies[v].data(), first, last, positions_[v],
                              block_->lanes, copy) &&
                all_bytes;
  }
  if (all_bytes) {
    bytes_.current[v] = true;
  } else {
    bytes_.stale[v].push_back({changed_[v], {}});
  }
  return all_bytes;
}

bool Workspace::differs(int v, const Range& rows) {
  const std::size_t row = lanes() * sizeof(float);
  if (!picks_) {
    return std::memcmp(numbers_.copies[v].data() + rows.first * lanes(),
                       golden(v) + rows.first * lanes(), (rows.last - rows.first) * row) != 0;
  }
  for (std::int64_t e = rows.first; e < rows.last; ++e) {
    if (std::memcmp(picked_.data(v) + e * lanes(), golden_row(v, e), row) != 0) return true;
  }
  return false;
}

void Workspace::note_changes(int v, const Ranges& written) {
  const Shape& shape = graph().values[v].shape;
  const std::int64_t plane = shape.size() > 2 ? strides_of(shape)[1] : 1;
  Ranges& changed = changed_[v];
  if (bytes_.current[v] && !changed.empty()) bytes_.stale[v].push_back({changed, positions_[v]});
  changed.clear();
  numbers_.current[v] = true;
  bytes_.current[v] = false;
  for (const Range& range : written) {
    if (picks_) picked_.note(v, range);
    for (std::int64_t from = range.first; from < range.last;) {
      const std::int64_t to = std::min(range.last, (from / plane + 1) * plane);
      if (differs(v, {from, to})) append(changed, {from, to});
      from = to;
    }
  }
  positions_[v].clear();
  if (program_.packed[v]) positions_[v] = positions_met(changed, strides_of(shape)[1]);
}

void Workspace::note_all_changed(int v) {
  changed_[v] = {{0, element_count(graph().values[v].shape)}};
  if (picks_) picked_.note(v, changed_[v].front());
  positions_[v].clear();
  numbers_.current[v] = true;
  bytes_.current[v] = false;
}

std::vector<View<float>> Workspace::views(const Node& node) {
  return views(node, &Workspace::at);
}

std::vector<View<float>> Workspace::views_of_rows(const Node& node) {
  return views(node, &Workspace::rows);
}

std::vector<View<float>> Workspace::views(const Node& node, const float* (Workspace::*data)(int)) {
  std::vector<View<float>> views;
  views.reserve(node.inputs.size());
  for (const Input& input : node.inputs) {
    View<float> view;
    if (input.kind == Input::Kind::value) {
      view = {(this->*data)(input.id), &input.shape, false, nullptr};
    } else if (input.kind == Input::Kind::constant) {
      view = {program_.constants[input.id].data(), &input.shape, true,
              program_.wide[input.id].data()};
    }
    views.push_back(view);
  }
  return views;
}

void Workspace::patch(int constant, std::int64_t element, double value) {
  float& narrow = program_.constants[constant][element];
  double& wide = program_.wide[constant][element];
  patches_.push_back({constant, element, narrow, wide});
  narrow = static_cast<float>(value);
  wide = value;
}

void Workspace::end() {
  for (auto patch = patches_.rbegin(); patch != patches_.rend(); ++patch) {
    program_.constants[patch->constant][patch->element] = patch->narrow;
    program_.wide[patch->constant][patch->element] = patch->wide;
  }
  patches_.clear();
}

const float* Workspace::golden_sums(int node) {
  AlignedVector<float>& sums = sums_[node];
  if (summed_[node]) return sums.data();
  const Node& what = graph().nodes[node];
  std::vector<View<float>> in = views(what);
  for (std::size_t k = 0; k < in.size(); ++k) {
    if (what.inputs[k].kind == Input::Kind::value) in[k].data = golden(what.inputs[k].id);
  }
  Op plain = what.op;
  std::visit(
      [](auto& op) {
        if constexpr (requires { op.accumulation; }) op.accumulation.rescale.clear();
      },
      plain);
  // The patches of this run are not golden: take them out for a moment.
  const std::vector<Patch> patches = patches_;
  std::vector<double> values;
  for (const Patch& patch : patches) values.push_back(program_.wide[patch.constant][patch.element]);
  end();
  const Shape& shape = graph().values[what.output].shape;
  sums.resize(element_count(shape) * block_->lanes);
  forward<float>(plain, in, shape, sums.data(), block_->lanes);
  for (std::size_t i = 0; i < patches.size(); ++i) {
    patch(patches[i].constant, patches[i].element, values[i]);
  }
  summed_[node] = true;
  return sums.data();
}

const std::int32_t* Workspace::stage_sums(std::size_t stage) {
  AlignedVector<std::int32_t>& sums = stage_sums_[stage];
  if (!stage_summed_[stage]) {
    const Stage& what = (*program_.stages)[stage];
    sums.resize(what.rows * what.plane * block_->lanes);
    sum_stage(what, golden_bytes(what.input), block_->lanes, sums.data());
    stage_summed_[stage] = true;
  }
  return sums.data();
}

float* Workspace::scratch(int which, std::size_t size) {
  if (scratch_[which].size() < size) scratch_[which].resize(size);
  return scratch_[which].data();
}

}  // namespace flipscope
