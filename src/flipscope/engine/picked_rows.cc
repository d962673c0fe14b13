#include "flipscope/engine/picked_rows.h"

#include <algorithm>

#include "flipscope/ops/kernels.h"

namespace flipscope {

void PickedRows::begin(const Block& block, std::span<const std::int32_t> picked) {
  block_ = &block;
  picked_.assign(picked.begin(), picked.end());
  for (const int v : opened_) of_[v].open = false;
  opened_.clear();
  for (AlignedVector<float>& row : golden_) row.resize(picked_.size());
}

void PickedRows::open(int v, std::int64_t elements) {
  Value& value = of_[v];
  if (value.open) return;
  value.open = true;
  opened_.push_back(v);
  const std::size_t size = elements * lanes();
  if (value.rows.size() < size) value.rows.resize(size);
  value.held.assign(elements, 0);
  value.holds = 0;
}

void PickedRows::pick(int v, std::int64_t element, float* out) const {
  pick_lanes(block_->values[v].data() + element * block_->lanes, picked_.data(), lanes(), out);
}

void PickedRows::hold(int v, const Range& range) {
  Value& value = of_[v];
  if (value.holds == std::ssize(value.held)) return;
  for (std::int64_t e = range.first; e < range.last; ++e) {
    if (value.held[e] != 0) continue;
    pick(v, e, value.rows.data() + e * lanes());
    value.held[e] = 1;
    ++value.holds;
  }
}

void PickedRows::note(int v, const Range& range) {
  Value& value = of_[v];
  for (std::int64_t e = range.first; e < range.last; ++e) {
    value.holds += value.held[e] == 0 ? 1 : 0;
    value.held[e] = 1;
  }
}

const float* PickedRows::golden_row(int v, std::int64_t element, int which) {
  pick(v, element, golden_[which].data());
  return golden_[which].data();
}

}  // namespace flipscope
