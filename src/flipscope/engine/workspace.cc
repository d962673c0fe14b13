#include "flipscope/engine/workspace.h"

#include <cstring>

namespace flipscope {

Workspace::Workspace(const Program& golden_program)
    : program_(golden_program),
      copies_(golden_program.graph->values.size()),
      copied_(copies_.size(), false),
      changed_(copies_.size()),
      stale_(copies_.size()),
      sums_(golden_program.graph->nodes.size()),
      summed_(sums_.size(), false) {}

void Workspace::begin(const Block& block) {
  if (block.serial != serial_) {
    serial_ = block.serial;
    copied_.assign(copied_.size(), false);
    summed_.assign(summed_.size(), false);
    for (std::size_t v = 0; v < copies_.size(); ++v) {
      stale_[v].clear();
      changed_[v].clear();
    }
  }
  block_ = &block;
  for (std::size_t v = 0; v < changed_.size(); ++v) {
    if (changed_[v].empty()) continue;
    stale_[v] = stale_[v].empty() ? std::move(changed_[v]) : united(stale_[v], changed_[v]);
    changed_[v].clear();
  }
}

float* Workspace::writable(int v) {
  const AlignedVector<float>& golden = block_->values[v];
  AlignedVector<float>& copy = copies_[v];
  if (!copied_[v]) {
    copy = golden;
    copied_[v] = true;
  } else {
    for (const Range& range : stale_[v]) {
      const std::int64_t first = range.first * block_->lanes, last = range.last * block_->lanes;
      std::copy(golden.begin() + first, golden.begin() + last, copy.begin() + first);
    }
  }
  stale_[v].clear();
  return copy.data();
}

float* Workspace::overwritable(int v) {
  copies_[v].resize(block_->values[v].size());
  copied_[v] = true;
  stale_[v].clear();
  return copies_[v].data();
}

void Workspace::note_changes(int v, const Ranges& written) {
  const Shape& shape = graph().values[v].shape;
  const std::int64_t plane = shape.size() > 2 ? strides_of(shape)[1] : 1;
  const std::size_t lanes = block_->lanes;
  const float* golden = block_->values[v].data();
  const float* own = copies_[v].data();
  Ranges& changed = changed_[v];
  changed.clear();
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
}

std::vector<View<float>> Workspace::views(const Node& node) const {
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

float* Workspace::scratch(int which, std::size_t size) {
  if (scratch_[which].size() < size) scratch_[which].resize(size);
  return scratch_[which].data();
}

}  // namespace flipscope
