// The exact earth mover's distance by the transportation simplex.
#include "flipscope/score/emd.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cmath>
#include <limits>

namespace flipscope {
namespace {

constexpr int kMassBits = 62;

}  // namespace

EmdSolver::EmdSolver(const GroundDistance& cost)
    : cost_(&cost),
      unit_(static_cast<std::int64_t>(std::bit_ceil(static_cast<unsigned>(cost.cells()) + 1))),
      whole_(std::ldexp(1.0, kMassBits) / static_cast<double>(unit_)),
      tolerance_(1e-12 * cost.diameter()) {
  const std::size_t n = static_cast<std::size_t>(cost.cells());
  p_.resize(n);
  q_.resize(n);
  node_of_source_cell_.resize(n);
  node_of_sink_cell_.resize(n);
}

double EmdSolver::operator()(const double* p, const double* q) {
  weigh(p, p_);
  weigh(q, q_);
  set_problem();
  pivots_ = 0;
  if (sources_ == 0) return 0;
  start_cheapest_first(*cost_);
  optimize();
  return total_cost();
}

/// Masses in units that sum to the whole exactly; what rounding leaves goes to the largest cell.
void EmdSolver::weigh(const double* p, std::vector<std::int64_t>& mass) const {
  double sum = 0;
  for (std::size_t i = 0; i < mass.size(); ++i) {
    assert(p[i] >= 0 && std::isfinite(p[i]));
    sum += p[i];
  }
  assert(sum > 0 && std::isfinite(sum));
  std::int64_t rest = static_cast<std::int64_t>(whole_);
  for (std::size_t i = 0; i < mass.size(); ++i) {
    mass[i] = std::llround(p[i] / sum * whole_);
    rest -= mass[i];
  }
  *std::ranges::max_element(mass) += rest;
}

/// Chooses sources and sinks, and perturbs their masses.
void EmdSolver::set_problem() {
  nodes_.clear();
  left_.clear();
  std::ranges::fill(node_of_source_cell_, -1);
  std::ranges::fill(node_of_sink_cell_, -1);
  const bool stays = cost_->is_metric();
  for (std::size_t i = 0; i < p_.size(); ++i) {
    const std::int64_t supply = p_[i] - (stays ? std::min(p_[i], q_[i]) : 0);
    if (supply == 0) continue;
    node_of_source_cell_[i] = static_cast<int>(nodes_.size());
    nodes_.push_back({.cell = static_cast<int>(i)});
    left_.push_back(supply * unit_ + 1);
  }
  sources_ = static_cast<int>(nodes_.size());
  for (std::size_t i = 0; i < q_.size(); ++i) {
    const std::int64_t demand = q_[i] - (stays ? std::min(p_[i], q_[i]) : 0);
    if (demand == 0) continue;
    node_of_sink_cell_[i] = static_cast<int>(nodes_.size());
    nodes_.push_back({.cell = static_cast<int>(i)});
    left_.push_back(demand * unit_);
  }
  sinks_ = static_cast<int>(nodes_.size()) - sources_;
  if (sources_ == 0) return;
  left_.back() += sources_;
  local_cost_.resize(static_cast<std::size_t>(sources_) * static_cast<std::size_t>(sinks_));
  double* cost = local_cost_.data();
  for (int s = 0; s < sources_; ++s) {
    for (int t = 0; t < sinks_; ++t) *cost++ = (*cost_)(nodes_[s].cell, nodes_[sources_ + t].cell);
  }
}

double EmdSolver::arc_cost(int a, int b) const {
  const int source = std::min(a, b);
  const int sink = std::max(a, b) - sources_;
  return local_cost_[std::int64_t{source} * sinks_ + sink];
}

void EmdSolver::attach(int child, int parent) {
  Node& node = nodes_[child];
  node.parent = parent;
  node.previous = -1;
  node.next = nodes_[parent].first_child;
  if (node.next >= 0) nodes_[node.next].previous = child;
  nodes_[parent].first_child = child;
}

void EmdSolver::detach(int child) {
  const Node& node = nodes_[child];
  if (node.previous >= 0) {
    nodes_[node.previous].next = node.next;
  } else {
    nodes_[node.parent].first_child = node.next;
  }
  if (node.next >= 0) nodes_[node.next].previous = node.previous;
}

/// Fills the cheapest pairs first. Each step exhausts exactly one side, so the arcs form a tree.
void EmdSolver::start_cheapest_first(const GroundDistance& distance) {
  arcs_.clear();
  const int n = distance.cells();
  const std::size_t needed = nodes_.size() - 1;
  for (const std::int32_t pair : distance.cheapest_first()) {
    const int source = node_of_source_cell_[pair / n];
    const int sink = node_of_sink_cell_[pair % n];
    if (source < 0 || sink < 0 || left_[source] == 0 || left_[sink] == 0) continue;
    const std::int64_t flow = std::min(left_[source], left_[sink]);
    left_[source] -= flow;
    left_[sink] -= flow;
    arcs_.push_back({source, sink, flow});
    if (arcs_.size() == needed) break;
  }
  assert(arcs_.size() == needed);

  // An arc's neighbours in arcs_ by node: heads and chains of the two ends of every arc.
  std::vector<int>& chain = stack_;
  chain.assign(nodes_.size() + 2 * arcs_.size(), -1);
  int* head = chain.data();
  int* next = chain.data() + nodes_.size();
  for (int a = 0; a < static_cast<int>(arcs_.size()); ++a) {
    next[2 * a] = head[arcs_[a].source];
    head[arcs_[a].source] = 2 * a;
    next[2 * a + 1] = head[arcs_[a].sink];
    head[arcs_[a].sink] = 2 * a + 1;
  }
  potential_.assign(nodes_.size(), 0);
  std::vector<int> order{0};
  order.reserve(nodes_.size());
  for (std::size_t k = 0; k < order.size(); ++k) {
    const int node = order[k];
    for (int end = head[node]; end >= 0; end = next[end]) {
      const Arc& arc = arcs_[end / 2];
      const int child = end % 2 == 0 ? arc.sink : arc.source;
      if (child == nodes_[node].parent) continue;
      attach(child, node);
      nodes_[child].flow = arc.flow;
      nodes_[child].depth = nodes_[node].depth + 1;
      potential_[child] = arc_cost(node, child) - potential_[node];
      order.push_back(child);
    }
  }
}

/// Goes through the sources in turn and enters each one's best arc while any lowers the cost.
void EmdSolver::optimize() {
  int source = 0;
  for (int idle = 0; idle < sources_; ++idle, source = (source + 1) % sources_) {
    const double* cost = local_cost_.data() + static_cast<std::ptrdiff_t>(source) * sinks_;
    const double* sink_potential = potential_.data() + sources_;
    const double own = potential_[source];
    double best = -tolerance_;
    int entering = -1;
    for (int t = 0; t < sinks_; ++t) {
      const double reduced = cost[t] - own - sink_potential[t];
      if (reduced < best) {
        best = reduced;
        entering = t;
      }
    }
    if (entering < 0) continue;
    pivot(source, sources_ + entering, best);
    idle = -1;
  }
}

/// The arc source → sink enters. Flow goes round the cycle that it closes with the tree: along the
/// way up from the sink and down to the source, arcs out of sinks' side lose what the entering
/// gains.
void EmdSolver::pivot(int source, int sink, double reduced_cost) {
  ++pivots_;
  std::int64_t most = std::numeric_limits<std::int64_t>::max();
  int leaving = -1;
  bool on_sink_side = false;
  int a = source;
  int b = sink;
  while (a != b) {
    const bool climb_source = nodes_[a].depth >= nodes_[b].depth;
    const int node = climb_source ? a : b;
    const bool loses = is_source(node) == climb_source;
    if (loses && nodes_[node].flow < most) {
      most = nodes_[node].flow;
      leaving = node;
      on_sink_side = !climb_source;
    }
    (climb_source ? a : b) = nodes_[node].parent;
  }
  const int apex = a;
  for (int node = source; node != apex; node = nodes_[node].parent) {
    nodes_[node].flow += is_source(node) ? -most : most;
  }
  for (int node = sink; node != apex; node = nodes_[node].parent) {
    nodes_[node].flow += is_source(node) ? most : -most;
  }

  // The subtree below the leaving arc hangs from the entering one: turn round the path between.
  int node = on_sink_side ? sink : source;
  int parent = on_sink_side ? source : sink;
  const int top = node;
  std::int64_t flow = most;
  while (true) {
    const int old_parent = nodes_[node].parent;
    const std::int64_t old_flow = nodes_[node].flow;
    detach(node);
    attach(node, parent);
    nodes_[node].flow = flow;
    if (node == leaving) break;
    parent = node;
    node = old_parent;
    flow = old_flow;
  }
  shift_subtree(top, on_sink_side ? -reduced_cost : reduced_cost);
}

/// Sources of the subtree gain the shift, sinks lose it; depths are counted anew.
void EmdSolver::shift_subtree(int top, double source_shift) {
  stack_.assign(1, top);
  while (!stack_.empty()) {
    const int node = stack_.back();
    stack_.pop_back();
    nodes_[node].depth = nodes_[nodes_[node].parent].depth + 1;
    potential_[node] += is_source(node) ? source_shift : -source_shift;
    for (int child = nodes_[node].first_child; child >= 0; child = nodes_[child].next) {
      stack_.push_back(child);
    }
  }
}

double EmdSolver::total_cost() const {
  double total = 0;
  for (int node = 1; node < static_cast<int>(nodes_.size()); ++node) {
    total += static_cast<double>(nodes_[node].flow) * arc_cost(node, nodes_[node].parent);
  }
  return std::ldexp(total, -kMassBits);
}

}  // namespace flipscope
