// One node at work on a difference. For difference*.cc.
#pragma once

#include <vector>

#include "flipscope/engine/workspace.h"

namespace flipscope {

/// One node at work.
struct Pass {
  Workspace& work;
  const Node& node;
  int index;
  const Shape& out_shape;
  int lanes;

  std::int64_t out_count() const { return element_count(out_shape); }
  float* out() const { return work.writable(node.output); }
  float* whole_out() const { return work.overwritable(node.output); }
  /// For an output of which only `written` will be.
  float* out_for(const Ranges& written) const {
    return written == Ranges{{0, out_count()}} ? whole_out() : out();
  }
};

inline bool is_changed(const Pass& pass, const Input& input) {
  return input.kind == Input::Kind::value && !pass.work.changed(input.id).empty();
}

/// Each recomputes the output of an affine node where the difference reaches it, or says false
/// where it does not serve: a convolution whose input changed at a few places of its planes;
/// changed inputs of an exact sum, where adding the change is less work than the whole sum (terms
/// of the change and one to load the golden sum, against all terms); struck constants of a node
/// whose inputs are golden.
bool some_positions(const Pass& pass);
bool added_inputs(const Pass& pass);
bool struck_channels(const Pass& pass, const std::vector<int>& struck);

}  // namespace flipscope
