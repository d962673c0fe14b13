// The exact earth mover's distance by the dual network simplex.
#include "flipscope/score/emd.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>
#include <utility>

#include "flipscope/ops/least_sum.h"

namespace flipscope {
namespace {

__extension__ using Wide = __int128;

constexpr int kMassBits = 62;
constexpr double kInfinity = std::numeric_limits<double>::infinity();

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
  set_supply();
  if (const BasisTree* const near = pool_.best(supply_)) tree_ = *near;
  set_places();
  set_flows();
  optimize();
  if (pivots_ > 0) pool_.add(tree_);
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
    mass[i] = static_cast<std::int64_t>(p[i] / sum * static_cast<double>(kWhole));
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
  pool_.clear();
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
  tree_.nodes.assign(static_cast<std::size_t>(count), {.parent = root.node});
  tree_.nodes[root.node].size = count;
  flow_.assign(tree_.nodes.size(), 0);
  inside_.assign(tree_.nodes.size(), 0);
  tree_.potential.assign(tree_.nodes.size(), 0);
  tree_.order.assign(1, root.node);
  place_.resize(tree_.nodes.size());
  const double* const from_root = cost_->whole_costs(root.cell);
  for (int t = 0; t < n; ++t) {
    if (t == root.node) continue;
    tree_.potential[t] = -from_root[t];
    tree_.order.push_back(t);
  }
  if (!cost_->is_metric()) hang_sources(root.node);
}

void EmdSolver::hang_sources(int root) {
  const int n = cost_->cells();
  for (const Source& source : sources_) {
    if (source.node == root) continue;
    const double* const costs = cost_->whole_costs(source.cell);
    const double bound = least_sum(costs, tree_.potential.data(), n);
    int sink = 0;
    while (costs[sink] + tree_.potential[sink] != bound) ++sink;
    tree_.potential[source.node] = bound;
    tree_.nodes[source.node] = {.parent = sink, .is_source = true};
    ++tree_.nodes[sink].size;
    tree_.order.insert(std::ranges::find(tree_.order, sink) + 1, source.node);
  }
}

void EmdSolver::set_supply() {
  supply_.assign(tree_.nodes.size(), 0);
  for (std::size_t i = 0; i < q_.size(); ++i) supply_[i] = -q_[i];
  for (const Source& source : sources_) supply_[source.node] += p_[source.cell];
}

void EmdSolver::set_places() {
  for (std::size_t k = 0; k < tree_.order.size(); ++k) {
    place_[tree_.order[k]] = static_cast<int>(k);
  }
}

/// Flows that carry p to q along the tree, negative ones too.
void EmdSolver::set_flows() {
  flow_ = supply_;
  for (std::size_t k = tree_.order.size() - 1; k > 0; --k) {
    const int v = tree_.order[k];
    flow_[tree_.nodes[v].parent] += flow_[v];
    if (!tree_.nodes[v].is_source) flow_[v] = -flow_[v];
  }
}

void EmdSolver::optimize() {
  // The greatest violation first is fast; Bland's rule, the lowest number first, cannot cycle.
  const int patience = 20 * static_cast<int>(tree_.nodes.size());
  for (pivots_ = 0;; ++pivots_) {
    const int leaving = pivots_ > patience ? first_negative() : most_negative();
    if (leaving < 0) return;
    pivot(leaving);
  }
}

/// The node with the least flow to its parent, or −1 where none is negative.
int EmdSolver::most_negative() const {
  std::int64_t least = 0;
  int leaving = -1;
  for (int v = 0; v < static_cast<int>(flow_.size()); ++v) {
    leaving = flow_[v] < least ? v : leaving;
    least = std::min(least, flow_[v]);
  }
  return leaving;
}

/// The same of the negative flow whose arc comes first by source, then sink.
int EmdSolver::first_negative() const {
  const auto arc = [this](int v) {
    const int parent = tree_.nodes[v].parent;
    return tree_.nodes[v].is_source ? std::pair(v, parent) : std::pair(parent, v);
  };
  int leaving = -1;
  for (int v = 0; v < static_cast<int>(flow_.size()); ++v) {
    if (flow_[v] < 0 && (leaving < 0 || arc(v) < arc(leaving))) leaving = v;
  }
  return leaving;
}

/// Of the arcs into the subtree (or out of it) the one that is least above the potentials, of equal
/// ones the first by source, then sink.
EmdSolver::Arc EmdSolver::entering_arc(std::span<const int> subtree, bool into_subtree) {
  for (const int v : subtree) inside_[v] = 1;
  const std::uint8_t of_sinks = into_subtree ? 1 : 0;
  from_.clear();
  for (const Source& source : sources_) {
    if (inside_[source.node] != of_sinks) from_.push_back(source);
  }
  to_.clear();
  for (int t = 0; t < cost_->cells(); ++t) {
    if (inside_[t] == of_sinks) to_.push_back(t);
  }
  for (const int v : subtree) inside_[v] = 0;
  std::ranges::fill(open_, kInfinity);
  const Arc arc = from_.size() < to_.size() ? least_arc_by_source() : least_arc_by_sink();
  assert(arc.reduced_cost >= 0 && arc.reduced_cost < kInfinity);
  return arc;
}

EmdSolver::Arc EmdSolver::least_arc_by_source() {
  const int n = cost_->cells();
  for (const int t : to_) open_[t] = tree_.potential[t];
  Arc best{.reduced_cost = kInfinity};
  for (const Source& source : from_) {
    const double* const costs = cost_->whole_costs(source.cell);
    const double least = least_sum(costs, open_.data(), n);
    Arc arc{.reduced_cost = least - tree_.potential[source.node], .source = source};
    if (arc.reduced_cost >= best.reduced_cost) continue;  // of equal ones the first
    while (costs[arc.sink] + open_[arc.sink] != least) ++arc.sink;
    best = arc;
  }
  return best;
}

EmdSolver::Arc EmdSolver::least_arc_by_sink() {
  const int n = cost_->cells();
  for (const Source& source : from_) open_[source.cell] = -tree_.potential[source.node];
  Arc best{.reduced_cost = kInfinity};
  for (const int t : to_) {
    const double* const costs = cost_->whole_costs_to(t);
    const double least = least_sum(costs, open_.data(), n);
    if (least + tree_.potential[t] > best.reduced_cost) continue;
    auto source = from_.begin();
    while (costs[source->cell] + open_[source->cell] != least) ++source;
    best = std::min(best, Arc{least + tree_.potential[t], *source, t});
  }
  return best;
}

/// The arc above `leaving` has a negative flow: its subtree lacks mass, or has too much, and is
/// hung where that costs least. All its potentials shift until the new arc is tight.
void EmdSolver::pivot(int leaving) {
  const auto subtree = std::span(tree_.order).subspan(static_cast<std::size_t>(place_[leaving]),
                                                 static_cast<std::size_t>(tree_.nodes[leaving].size));
  const bool lacks = tree_.nodes[leaving].is_source;
  const Arc arc = entering_arc(subtree, lacks);
  const double shift = lacks ? -arc.reduced_cost : arc.reduced_cost;
  for (const int v : subtree) tree_.potential[v] += shift;
  if (lacks) {
    turn(leaving, arc.sink, arc.source.node, false);
  } else {
    turn(leaving, arc.source.node, arc.sink, true);
  }
}

/// Adds to what the subtree of each node from `v` up has, and so to what it sends up.
void EmdSolver::add_upward(int v, std::int64_t supply, int size) {
  const int root = tree_.order[0];
  for (;; v = tree_.nodes[v].parent) {
    tree_.nodes[v].size += size;
    if (v == root) return;
    flow_[v] += tree_.nodes[v].is_source ? supply : -supply;
  }
}

/// Hangs the subtree of `leaving` by its node `first` from `parent`; `is_source`: of the new arc.
void EmdSolver::turn(int leaving, int first, int parent, bool is_source) {
  const int size = tree_.nodes[leaving].size;
  const std::int64_t supply = tree_.nodes[leaving].is_source ? flow_[leaving] : -flow_[leaving];
  add_upward(tree_.nodes[leaving].parent, -supply, -size);

  // Up the old path, each node takes over what was above it: all but its old subtree.
  turned_.clear();
  Node now{.parent = parent, .size = size, .is_source = is_source};
  std::int64_t now_supply = supply;
  const auto take = [this](int from, int to) {
    turned_.insert(turned_.end(), tree_.order.begin() + from, tree_.order.begin() + to);
  };
  int taken = place_[first], taken_end = taken;
  for (int v = first;;) {
    const Node before = std::exchange(tree_.nodes[v], now);
    const std::int64_t flow = std::exchange(flow_[v], now.is_source ? now_supply : -now_supply);
    take(place_[v], taken);
    take(taken_end, place_[v] + before.size);
    if (v == leaving) break;
    taken = place_[v];
    taken_end = taken + before.size;
    now = {.parent = v, .size = size - before.size, .is_source = !before.is_source};
    now_supply = supply - (before.is_source ? flow : -flow);
    v = before.parent;
  }
  add_upward(parent, supply, size);
  move_subtree(place_[leaving], place_[parent]);
}

/// Puts the turned subtree, which began at `from`, behind its new parent at `parent`.
void EmdSolver::move_subtree(int from, int parent) {
  const int size = static_cast<int>(turned_.size());
  const auto order = tree_.order.begin();
  int first = from, to = parent + 1, last = parent + 1;
  if (parent < from) {
    std::copy_backward(order + to, order + from, order + from + size);
    first = to;
    last = from + size;
  } else {
    std::copy(order + from + size, order + last, order + from);
    to = last - size;
  }
  std::ranges::copy(turned_, order + to);
  for (int k = first; k < last; ++k) place_[tree_.order[k]] = k;
}

/// Σ potential·supply, which at the optimum is Σ cost·flow.
double EmdSolver::total_cost() const {
  Wide total = 0;
  for (std::size_t v = 0; v < supply_.size(); ++v) {
    total += Wide{static_cast<std::int64_t>(tree_.potential[v])} * supply_[v];
  }
  return std::ldexp(static_cast<double>(total), -kMassBits - cost_->whole_bits());
}

}  // namespace flipscope
