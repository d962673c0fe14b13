// The exact earth mover's distance by the dual network simplex.
#include "flipscope/score/emd.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <limits>
#include <utility>

namespace flipscope {
namespace {

__extension__ using Wide = __int128;

constexpr int kMassBits = 62;
constexpr std::uint8_t kOutside = 0, kInside = 1, kOnPath = 2;
constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// The least of a[i] + b[i], the same whatever the order: all are integers or ∞.
double least_sum(const double* a, const double* b, int count) {
  constexpr int kLanes = 8;
  std::array<double, kLanes> least;
  least.fill(kInfinity);
  int i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    for (int k = 0; k < kLanes; ++k) {
      const double sum = a[i + k] + b[i + k];
      least[k] = sum < least[k] ? sum : least[k];
    }
  }
  for (; i < count; ++i) least[0] = std::min(least[0], a[i] + b[i]);
  return *std::ranges::min_element(least);
}

}  // namespace

EmdSolver::EmdSolver(const GroundDistance& cost) : cost_(&cost) {
  const auto n = static_cast<std::size_t>(cost.cells());
  p_.resize(n);
  q_.resize(n);
  open_.resize(n);
}

double EmdSolver::operator()(const double* p, const double* q) {
  if (last_p_.empty() || !std::equal(last_p_.begin(), last_p_.end(), p)) set_sources(p);
  weigh(q, q_);
  set_supplies();
  optimize();
  return total_cost();
}

/// Masses that sum to the whole exactly; what rounding leaves goes to the largest cell.
void EmdSolver::weigh(const double* p, std::vector<std::int64_t>& mass) const {
  const std::size_t n = mass.size();
  double sum = 0;
  for (std::size_t i = 0; i < n; ++i) {
    assert(p[i] >= 0 && std::isfinite(p[i]));
    sum += p[i];
  }
  assert(sum > 0 && std::isfinite(sum));
  constexpr std::int64_t kWhole = std::int64_t{1} << kMassBits;
  std::int64_t rest = kWhole;
  std::size_t largest = 0;
  for (std::size_t i = 0; i < n; ++i) {
    mass[i] = static_cast<std::int64_t>(p[i] / sum * static_cast<double>(kWhole) + 0.5);
    rest -= mass[i];
    if (mass[i] > mass[largest]) largest = i;
  }
  mass[largest] += rest;
}

/// Takes p in. Its last tree stays where the sources do.
void EmdSolver::set_sources(const double* p) {
  const int n = cost_->cells();
  last_p_.assign(p, p + n);
  weigh(p, p_);
  bool same = true;
  std::size_t known = 0;
  for (int i = 0; i < n; ++i) {
    const bool was = known < sources_.size() && sources_[known].cell == i;
    if (was) ++known;
    same &= was == (p[i] > 0);
  }
  if (same) return;
  sources_.clear();
  for (int i = 0; i < n; ++i) {
    const int apart = n + static_cast<int>(sources_.size());
    if (p[i] > 0) sources_.push_back({i, cost_->is_metric() ? i : apart});
  }
  start();
}

/// All sinks hang from the heaviest source; of a metric these are all nodes, and no arc is cheaper
/// than the potentials allow, because no detour is. Else every further source hangs from the sink
/// that binds it first.
void EmdSolver::start() {
  const int n = cost_->cells();
  const Source root = *std::ranges::max_element(
      sources_, {}, [this](const Source& source) { return p_[source.cell]; });
  const int count = n + (cost_->is_metric() ? 0 : static_cast<int>(sources_.size()));
  nodes_.assign(static_cast<std::size_t>(count), {.parent = root.node});
  inside_.assign(nodes_.size(), kOutside);
  potential_.assign(nodes_.size(), 0);
  order_.assign(1, root.node);
  const double* const from_root = cost_->whole_costs(root.cell);
  for (int t = 0; t < n; ++t) {
    if (t == root.node) continue;
    potential_[t] = -from_root[t];
    order_.push_back(t);
  }
  if (cost_->is_metric()) return;
  for (const Source& source : sources_) {
    if (source.node == root.node) continue;
    const double* const costs = cost_->whole_costs(source.cell);
    const double bound = least_sum(costs, potential_.data(), n);
    int sink = 0;
    while (costs[sink] + potential_[sink] != bound) ++sink;
    potential_[source.node] = bound;
    nodes_[source.node] = {.parent = sink, .is_source = true};
    order_.push_back(source.node);
  }
}

void EmdSolver::set_supplies() {
  for (Node& node : nodes_) node.supply = 0;
  for (std::size_t i = 0; i < q_.size(); ++i) nodes_[i].supply = -q_[i];
  for (const Source& source : sources_) nodes_[source.node].supply += p_[source.cell];
  for (std::size_t k = order_.size() - 1; k > 0; --k) {
    const Node& node = nodes_[order_[k]];
    nodes_[node.parent].supply += node.supply;
  }
}

void EmdSolver::optimize() {
  // The greatest violation first is fast; Bland's rule, the lowest number first, cannot cycle.
  const int patience = 20 * static_cast<int>(nodes_.size());
  for (pivots_ = 0;; ++pivots_) {
    const int leaving = leaving_node(pivots_ > patience);
    if (leaving < 0) return;
    pivot(leaving);
  }
}

/// A node whose arc to the parent has a negative flow, or −1.
int EmdSolver::leaving_node(bool by_number) const {
  std::int64_t most = 0;
  int leaving = -1;
  for (std::size_t k = 1; k < order_.size(); ++k) {
    const int v = order_[k];
    const std::int64_t missing = nodes_[v].is_source ? -nodes_[v].supply : nodes_[v].supply;
    if (missing <= 0) continue;
    const std::int64_t rank =
        by_number ? std::numeric_limits<std::int64_t>::max() - arc_number(v) : missing;
    if (rank > most) {
      most = rank;
      leaving = v;
    }
  }
  return leaving;
}

std::int64_t EmdSolver::arc_number(int v) const {
  const Node& node = nodes_[v];
  const int source = node.is_source ? v : node.parent;
  const int sink = node.is_source ? node.parent : v;
  return std::int64_t{source} * cost_->cells() + sink;
}

void EmdSolver::mark_subtree(int top) {
  inside_[order_[0]] = kOutside;
  for (std::size_t k = 1; k < order_.size(); ++k) {
    const int v = order_[k];
    inside_[v] = v == top ? kInside : inside_[nodes_[v].parent];
  }
}

/// Of the arcs into the marked subtree (or out of it) the first that is least above the potentials.
EmdSolver::Arc EmdSolver::entering_arc(bool into_subtree) {
  const int n = cost_->cells();
  for (int t = 0; t < n; ++t) {
    open_[t] = (inside_[t] == kInside) == into_subtree ? potential_[t] : kInfinity;
  }
  Arc best{.reduced_cost = kInfinity};
  for (std::size_t s = 0; s < sources_.size(); ++s) {
    const Source& source = sources_[s];
    if ((inside_[source.node] == kInside) == into_subtree) continue;
    const double reduced =
        least_sum(cost_->whole_costs(source.cell), open_.data(), n) - potential_[source.node];
    if (reduced < best.reduced_cost) best = {static_cast<int>(s), 0, reduced};
  }
  assert(best.reduced_cost >= 0 && best.reduced_cost < kInfinity);
  const double* const costs = cost_->whole_costs(sources_[best.source].cell);
  const double bound = best.reduced_cost + potential_[sources_[best.source].node];
  while (costs[best.sink] + open_[best.sink] != bound) ++best.sink;
  return best;
}

/// The arc above `leaving` has a negative flow: its subtree lacks mass, or has too much, and is
/// hung where that costs least. All its potentials shift until the new arc is tight.
void EmdSolver::pivot(int leaving) {
  const bool lacks = nodes_[leaving].is_source;
  mark_subtree(leaving);
  const Arc arc = entering_arc(lacks);
  const int source = sources_[arc.source].node;
  moved_.clear();
  if (lacks) {
    turn_path(leaving, arc.sink, source, false);
  } else {
    turn_path(leaving, source, arc.sink, true);
  }
  std::size_t kept = 0;
  for (const int v : order_) {
    if (inside_[v] == kOutside) order_[kept++] = v;
    if (inside_[v] == kInside) moved_.push_back(v);
  }
  std::ranges::copy(moved_, order_.begin() + static_cast<std::ptrdiff_t>(kept));
  const double shift = lacks ? -arc.reduced_cost : arc.reduced_cost;
  for (const int v : moved_) potential_[v] += shift;
}

/// Hangs the subtree of `leaving` by its node `first` from `parent`, and brings supplies up to
/// date.
void EmdSolver::turn_path(int leaving, int first, int parent, bool is_source) {
  const int root = order_[0];
  const std::int64_t all = nodes_[leaving].supply;
  for (int v = leaving; v != root;) {
    v = nodes_[v].parent;
    nodes_[v].supply -= all;
  }
  Node now{.parent = parent, .is_source = is_source, .supply = all};
  for (int v = first;;) {
    const Node before = std::exchange(nodes_[v], now);
    inside_[v] = kOnPath;
    moved_.push_back(v);
    if (v == leaving) break;
    now = {.parent = v, .is_source = !before.is_source, .supply = all - before.supply};
    v = before.parent;
  }
  for (int v = parent;; v = nodes_[v].parent) {
    nodes_[v].supply += all;
    if (v == root) break;
  }
}

/// Σ potential·supply, which at the optimum is Σ cost·flow.
double EmdSolver::total_cost() const {
  Wide total = 0;
  for (std::size_t i = 0; i < q_.size(); ++i) {
    total -= Wide{static_cast<std::int64_t>(potential_[i])} * q_[i];
  }
  for (const Source& source : sources_) {
    total += Wide{static_cast<std::int64_t>(potential_[source.node])} * p_[source.cell];
  }
  return std::ldexp(static_cast<double>(total), -kMassBits - cost_->whole_bits());
}

}  // namespace flipscope
