#include "flipscope/score/basis_pool.h"

#include <algorithm>

#include "flipscope/ops/column_sums.h"

namespace flipscope {

static_assert(BasisPool::kTrees % kColumnGroup == 0);

void BasisPool::clear() {
  trees_.clear();
  last_best_.clear();
}

void BasisPool::add(const BasisTree& tree) {
  std::size_t at = trees_.size();
  if (std::ssize(trees_) < kTrees) {
    trees_.push_back(tree);
    last_best_.push_back(0);
  } else {
    at = static_cast<std::size_t>(std::ranges::min_element(last_best_) - last_best_.begin());
    trees_[at] = tree;
  }
  last_best_[at] = ++time_;
  potential_.resize(tree.potential.size() * kTrees);
  for (std::size_t v = 0; v < tree.potential.size(); ++v) {
    potential_[v * kTrees + at] = static_cast<float>(tree.potential[v]);
  }
}

const BasisTree* BasisPool::best(std::span<const std::int64_t> supply) {
  if (trees_.empty()) return nullptr;
  supply_.resize(supply.size());
  std::ranges::transform(supply, supply_.begin(), [](std::int64_t s) { return float(s); });
  bound_.resize(kTrees);
  column_sums(potential_.data(), std::ssize(supply_), kTrees, supply_.data(), bound_.data());
  const auto end = bound_.begin() + std::ssize(trees_);
  const auto at = static_cast<std::size_t>(std::max_element(bound_.begin(), end) - bound_.begin());
  last_best_[at] = ++time_;
  return &trees_[at];
}

}  // namespace flipscope
