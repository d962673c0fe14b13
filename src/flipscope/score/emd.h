// The exact earth mover's distance between two distributions over the same cells.
//
//   EMD(p, q) = min Σ f_ij·cost_ij   over f ≥ 0 with Σ_j f_ij = p_i/Σp and Σ_i f_ij = q_j/Σq
//
// Solved by the transportation simplex with a tree basis (Dantzig 1951; potentials u_i + v_j =
// cost_ij on the tree). Masses are integers of 2^−62 of the whole, so flows are exact; they are
// multiples of K > cells, plus 1 at each source and as much more at the last sink (Orden's
// perturbation, 1956). No basis is degenerate then: every pivot lowers the cost, and no cycle is
// possible. Where the cost is a metric, only (p − q)⁺ → (q − p)⁺ is carried.
#pragma once

#include <cstdint>
#include <vector>

#include "flipscope/score/ground_distance.h"

namespace flipscope {

/// The scratch memory and the last basis of one thread. The ground distance must outlive it.
class EmdSolver {
 public:
  explicit EmdSolver(const GroundDistance& cost);

  /// p and q hold cost.cells() numbers each, finite and not negative, not all zero. Exact to about
  /// 1e-12 of the cost's diameter, whatever the instruction set. Does not depend on earlier calls.
  double operator()(const double* p, const double* q);

  /// Pivots of the last call.
  int pivots() const { return pivots_; }

 private:
  /// Nodes are the sources, then the sinks. A basis is a tree: the arc to a node's parent carries
  /// flow from the source among the two to the sink.
  struct Node {
    int cell = 0;
    int parent = -1;
    int first_child = -1;
    int next = -1;      ///< sibling
    int previous = -1;  ///< sibling
    int depth = 0;
    std::int64_t flow = 0;  ///< on the arc to the parent
  };
  struct Arc {
    int source;
    int sink;
    std::int64_t flow;
  };

  void weigh(const double* p, std::vector<std::int64_t>& mass) const;
  void set_problem();
  void start_cheapest_first(const GroundDistance& distance);
  void optimize();
  void pivot(int source, int sink, double reduced_cost);
  double total_cost() const;

  bool is_source(int node) const { return node < sources_; }
  double arc_cost(int a, int b) const;
  void attach(int child, int parent);
  void detach(int child);
  void shift_subtree(int top, double source_shift);

  const GroundDistance* cost_;
  std::int64_t unit_;  ///< K: masses are multiples of it
  double whole_;       ///< all mass, in units
  double tolerance_;   ///< a reduced cost above −tolerance is none
  int sources_ = 0;
  int sinks_ = 0;
  int pivots_ = 0;
  std::vector<std::int64_t> p_;
  std::vector<std::int64_t> q_;
  std::vector<Node> nodes_;
  std::vector<std::int64_t> left_;  ///< mass of each node that the start has not yet placed
  std::vector<double> local_cost_;  ///< [source][sink]
  std::vector<double> potential_;   ///< [node]
  std::vector<int> node_of_source_cell_;
  std::vector<int> node_of_sink_cell_;
  std::vector<Arc> arcs_;
  std::vector<int> stack_;
};

}  // namespace flipscope
