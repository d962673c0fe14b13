#include "flipscope/engine/workspace.h"

#include <cstring>
#include <utility>

#include "flipscope/engine/stage_run.h"

namespace flipscope {
template <typename T>
void Workspace::Form<T>::forget() {
  copied.assign(copied.size(), false);
  for (std::vector<Difference>& differences : stale) differences.clear();
}

Workspace::Workspace(const Program& golden_program)
    : program_(golden_program),
      numbers_(golden_program.graph->values.size()),
      bytes_(golden_program.graph->values.size()),
      changed_(golden_program.graph->values.size()),
      positions_(golden_program.graph->values.size()),
      sums_(golden_program.graph->nodes.size()),
      summed_(sums_.size(), false),
      stage_sums_(golden_program.stages->size()),
      stage_summed_(stage_sums_.size(), false) {}

void Workspace::begin(const Block& block) {
  block_ = &block;
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

const float* Workspace::at(int v) {
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
  const std::int64_t plane = packed_shape(graph().values[v])->plane;
  const std::int64_t place = std::int64_t{block_->lanes} * kPack;
  const std::uint8_t* golden = block_->packed[v].data();
  std::uint8_t* copy = bytes_.copies[v].data();
  for (const Range& range : difference.changed) {
    const std::int64_t first = range.first / plane / kPack;
    const std::int64_t last = (range.last - 1) / plane / kPack + 1;
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
  const PackedShape shape = *packed_shape(graph().values[v]);
  for (const Range& range : changed) {
    unpack_channels(shape, bytes_.copies[v].data(), range.first / shape.plane,
                    range.last / shape.plane, positions_[v], block_->lanes, copy);
  }
  changed_[v] = changed;
  numbers_.current[v] = true;
}

bool Workspace::pack(int v) {
  std::uint8_t* copy = writable_bytes(v);
  const PackedShape shape = *packed_shape(graph().values[v]);
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

void Workspace::note_changes(int v, const Ranges& written) {
  const Shape& shape = graph().values[v].shape;
  const std::int64_t plane = shape.size() > 2 ? strides_of(shape)[1] : 1;
  const std::size_t lanes = block_->lanes;
  const float* golden = block_->values[v].data();
  const float* own = numbers_.copies[v].data();
  Ranges& changed = changed_[v];
  if (bytes_.current[v] && !changed.empty()) bytes_.stale[v].push_back({changed, positions_[v]});
  changed.clear();
  numbers_.current[v] = true;
  bytes_.current[v] = false;
  for (const Range& range : written) {
    for (std::int64_t from = range.first; from < range.last;) {
      const std::int64_t to = std::min(range.last, (from / plane + 1) * plane);
      const std::size_t bytes = (to - from) * lanes * sizeof(float);
      if (std::memcmp(own + from * lanes, golden + from * lanes, bytes) != 0) {
        append(changed, {from, to});
      }
      from = to;
    }
  }
  positions_[v].clear();
  if (program_.is_packed[v]) positions_[v] = positions_met(changed, strides_of(shape)[1]);
}

void Workspace::note_all_changed(int v) {
  changed_[v] = {{0, element_count(graph().values[v].shape)}};
  positions_[v].clear();
  numbers_.current[v] = true;
  bytes_.current[v] = false;
}

std::vector<View<float>> Workspace::views(const Node& node) {
  std::vector<View<float>> views;
  views.reserve(node.inputs.size());
  for (const Input& input : node.inputs) {
    View<float> view;
    if (input.kind == Input::Kind::value) {
      view = {at(input.id), &input.shape, false, nullptr};
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
