// Optimal trees of earlier transport problems, from which the nearest start of the next is taken.
//
// Potentials that are feasible for one pair of masses are so for all, so each tree bounds the new
// optimum from below by Σ potential·supply (weak duality). The tree with the greatest bound has the
// least way to climb, and where it is the optimum, none.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace flipscope {

/// A spanning tree of sources and sinks with its potentials.
struct BasisTree {
  /// A node but the root hangs from its parent by an arc that leaves the source among the two.
  struct Node {
    int parent = 0;
    bool is_source = false;  ///< of the arc to the parent
  };
  std::vector<Node> nodes;
  std::vector<std::uint64_t> below;  ///< [node][word] a bit for each node of its subtree
  std::vector<double> potential;     ///< [node] integers
  std::vector<int> order;            ///< nodes, each before its subtree

  std::size_t words() const { return (nodes.size() + 63) / 64; }
  std::span<std::uint64_t> subtree(int node) {
    return std::span(below).subspan(static_cast<std::size_t>(node) * words(), words());
  }
  /// Puts the order right: larger subtrees first.
  void sort();
};

class BasisPool {
 public:
  /// Most trees that are kept; the one that was not the best for longest makes way.
  static constexpr std::int64_t kTrees = 64;

  void clear();
  void add(const BasisTree& tree);

  /// The tree with the greatest bound, as far as float32 can tell; null where there is none. Valid
  /// until the next call of any other function.
  const BasisTree* best(std::span<const std::int64_t> supply);

 private:
  std::vector<BasisTree> trees_;
  std::vector<float> potential_;          ///< [node][tree]
  std::vector<std::uint64_t> last_best_;  ///< [tree] time
  std::uint64_t time_ = 0;
  std::vector<float> supply_;  ///< [node]
  std::vector<float> bound_;   ///< [tree]
};

}  // namespace flipscope
