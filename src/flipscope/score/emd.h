// The exact earth mover's distance between two distributions over the same cells.
//
//   EMD(p, q) = min Σ f_ij·cost_ij   over f ≥ 0 with Σ_j f_ij = p_i/Σp and Σ_i f_ij = q_j/Σq
//
// Solved by the dual simplex on a tree basis (Dantzig 1951; potentials with y_i − y_j = cost_ij on
// the tree and ≤ off it). Costs are fixed, so a tree that was optimal for one q keeps feasible
// potentials for every other: only flows that turned negative are repaired, which for a q nearby
// takes few pivots. Masses and costs are integers, so tests, flows and the total are exact: every
// optimal tree has the same total, and the result does not depend on where the search began. Where
// the cost is a metric, source and sink of a cell are one node: mass that both have stays.
#pragma once

#include <cstdint>
#include <vector>

#include "flipscope/score/ground_distance.h"

namespace flipscope {

/// The scratch memory and the last basis of one thread. The ground distance must outlive it.
class EmdSolver {
 public:
  explicit EmdSolver(const GroundDistance& cost);

  /// p and q hold cost.cells() numbers each, finite and not negative, not all zero. Exact to 1e-12
  /// of the cost's diameter, whatever the instruction set. Its value does not depend on earlier
  /// calls; it is fast where p has mass in the cells where the last call's p had, and faster where
  /// p is the same and q near.
  double operator()(const double* p, const double* q);

  /// Pivots of the last call.
  int pivots() const { return pivots_; }

 private:
  /// A node but the root hangs from its parent by an arc that leaves the source among the two.
  struct Node {
    int parent = 0;
    bool is_source = false;   ///< of the arc to the parent
    std::int64_t supply = 0;  ///< of the subtree: what flows up that arc if it leaves the node
  };
  struct Source {
    int cell = 0;
    int node = 0;
  };
  struct Arc {
    int source = 0;  ///< index into sources_
    int sink = 0;
    double reduced_cost = 0;
  };

  void weigh(const double* p, std::vector<std::int64_t>& mass) const;
  void set_sources(const double* p);
  void start();
  void set_supplies();
  void optimize();
  int leaving_node(bool by_number) const;
  std::int64_t arc_number(int node) const;
  void mark_subtree(int top);
  Arc entering_arc(bool into_subtree);
  void pivot(int leaving);
  void turn_path(int leaving, int first, int parent, bool is_source);
  double total_cost() const;

  const GroundDistance* cost_;
  int pivots_ = 0;
  std::vector<double> last_p_;
  std::vector<std::int64_t> p_, q_;   ///< [cell] in 2^−62 of the whole
  std::vector<Source> sources_;       ///< cells where p is not 0
  std::vector<Node> nodes_;           ///< sinks are the cells; further sources come behind them
  std::vector<int> order_;            ///< nodes, parents first
  std::vector<double> potential_;     ///< [node] integers
  std::vector<std::uint8_t> inside_;  ///< [node] whether in the subtree that a pivot moves
  std::vector<double> open_;          ///< [cell] its potential where it may be entered, else ∞
  std::vector<int> moved_;            ///< the subtree's nodes, parents first
};

}  // namespace flipscope
