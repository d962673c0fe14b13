#include "flipscope/score/basis_pool.h"

#include <algorithm>
#include <bit>
#include <numeric>

#include "flipscope/ops/column_sums.h"

namespace flipscope {

static_assert(BasisPool::kTrees % kColumnGroup == 0);

namespace {

/// Trees of many nodes are large: as many as fit a quarter of a megabyte, but one at least.
std::ptrdiff_t most_trees(const BasisTree& tree) {
  constexpr std::size_t kBytes = 1 << 18;
  const std::size_t bytes = tree.below.size() * sizeof(std::uint64_t) +
                            tree.nodes.size() * (sizeof(BasisTree::Node) + sizeof(double));
  return std::clamp(static_cast<std::ptrdiff_t>(kBytes / std::max<std::size_t>(bytes, 1)),
                    std::ptrdiff_t{1}, std::ptrdiff_t{BasisPool::kTrees});
}

}  // namespace

void BasisTree::sort() {
  std::vector<int> size(nodes.size(), 0), first(nodes.size() + 1, 0);
  for (std::size_t v = 0; v < nodes.size(); ++v) {
    for (const std::uint64_t word : subtree(static_cast<int>(v))) size[v] += std::popcount(word);
    ++first[nodes.size() - static_cast<std::size_t>(size[v])];
  }
  std::exclusive_scan(first.begin(), first.end(), first.begin(), 0);
  order.resize(nodes.size());
  for (std::size_t v = 0; v < nodes.size(); ++v) {
    order[first[nodes.size() - static_cast<std::size_t>(size[v])]++] = static_cast<int>(v);
  }
}

void BasisPool::clear() {
  trees_.clear();
  last_best_.clear();
}

void BasisPool::add(const BasisTree& tree) {
  std::size_t at = trees_.size();
  if (std::ssize(trees_) < most_trees(tree)) {
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
  std::ranges::transform(supply, supply_.begin(),
                         [](std::int64_t s) { return static_cast<float>(s); });
  bound_.resize(kTrees);
  column_sums(potential_.data(), std::ssize(supply_), kTrees, supply_.data(), bound_.data());
  const auto end = bound_.begin() + std::ssize(trees_);
  const auto at = static_cast<std::size_t>(std::max_element(bound_.begin(), end) - bound_.begin());
  last_best_[at] = ++time_;
  return &trees_[at];
}

}  // namespace flipscope
