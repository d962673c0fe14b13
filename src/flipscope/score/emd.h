// The exact earth mover's distance between two distributions over the same cells.
//
//   EMD(p, q) = min Σ f_ij·cost_ij   over f ≥ 0 with Σ_j f_ij = p_i/Σp and Σ_i f_ij = q_j/Σq
//
// Solved by the dual simplex on a tree basis (Dantzig 1951; potentials with y_i − y_j = cost_ij on
// the tree and ≤ off it). Costs are fixed, so a tree that was optimal for one q keeps feasible
// potentials for every other: only flows that turned negative are repaired, which for a q nearby
// takes few pivots. Trees of earlier solves are kept, and the nearest is the start. Masses and
// costs are integers, so tests, flows and the total are exact: every optimal tree has the same
// total, and the result does not depend on where the search began. Where the cost is a metric,
// source and sink of a cell are one node: mass that both have stays.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "flipscope/score/basis_pool.h"
#include "flipscope/score/ground_distance.h"

namespace flipscope {

/// The scratch memory and the last basis of one thread. The ground distance must outlive it.
class EmdSolver {
 public:
  explicit EmdSolver(const GroundDistance& cost);

  /// p and q hold cost.cells() numbers each, finite and not negative, not all zero. Exact to 1e-12
  /// of the cost's diameter, whatever the instruction set. Its value does not depend on earlier
  /// calls; it is fast where p has mass in the cells where the last call's p had, and faster where
  /// q is near one of earlier calls with the same p.
  double operator()(const double* p, const double* q);

  /// Pivots of the last call.
  int pivots() const { return pivots_; }

 private:
  using Node = BasisTree::Node;
  struct Source {
    int cell = 0;
    int node = 0;

    auto operator<=>(const Source&) const = default;
  };
  struct Arc {
    double reduced_cost = 0;
    Source source;
    int sink = 0;

    auto operator<=>(const Arc&) const = default;
  };

  void weigh(const double* p, std::vector<std::int64_t>& mass) const;
  void set_sources(const double* p);
  void start();
  void hang_sources(int root);
  void set_supply();
  void set_flows();
  void optimize();
  int most_negative() const;
  int first_negative() const;
  Arc entering_arc(bool into_subtree);
  Arc least_arc_by_source();
  Arc least_arc_by_sink();
  void pivot(int leaving);
  void add_upward(int v, std::int64_t supply, bool joins);
  void turn(int leaving, int first, int parent, bool is_source);
  Source source_at(int node) const;
  double total_cost() const;

  const GroundDistance* cost_;
  int pivots_ = 0;
  std::vector<double> last_p_;
  std::vector<std::int64_t> p_, q_;   ///< [cell] in 2^−62 of the whole
  std::vector<Source> sources_;       ///< cells where p is not 0
  BasisTree tree_;                    ///< sinks are the cells; further sources come behind them
  BasisPool pool_;                    ///< of trees over these sources
  std::vector<std::int64_t> supply_;  ///< [node] what it has
  std::vector<std::int64_t> flow_;    ///< [node] on the arc to its parent; of the root 0
  std::vector<std::uint64_t> source_nodes_, sink_nodes_;  ///< [word] a bit for each
  std::vector<std::uint64_t> moved_;                      ///< [word] the subtree that a pivot moves
  std::vector<std::uint64_t> lost_;                       ///< [word] scratch
  std::vector<std::uint64_t> from_, to_;  ///< [word] ends that the entering arc may have
  std::vector<double> open_;  ///< [cell] potential of such an end (of a source minus it), else ∞
};

}  // namespace flipscope
