// The exact earth mover's distance by the dual network simplex.
#include "flipscope/score/emd.h"

#include <algorithm>
#include <bit>
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

void set_bit(std::span<std::uint64_t> words, int bit) {
  words[static_cast<std::size_t>(bit) / 64] |= std::uint64_t{1} << (bit % 64);
}

/// Calls f(bit) for every bit that is set, ascending.
template <typename F>
void for_each_bit(std::span<const std::uint64_t> words, F f) {
  int first = 0;
  for (std::uint64_t word : words) {
    for (; word != 0; word &= word - 1) f(first + std::countr_zero(word));
    first += 64;
  }
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
  set_supply();
  if (const BasisTree* const near = pool_.best(supply_)) tree_ = *near;
  set_flows();
  optimize();
  if (pivots_ > 0) {
    tree_.sort();
    pool_.add(tree_);
  }
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
  const std::size_t words = tree_.words();
  tree_.below.assign(tree_.nodes.size() * words, 0);
  tree_.potential.assign(tree_.nodes.size(), 0);
  flow_.assign(tree_.nodes.size(), 0);
  source_nodes_.assign(words, 0);
  sink_nodes_.assign(words, 0);
  for (const Source& source : sources_) set_bit(source_nodes_, source.node);
  for (int t = 0; t < n; ++t) set_bit(sink_nodes_, t);
  moved_.resize(words);
  from_.resize(words);
  to_.resize(words);
  const double* const from_root = cost_->whole_costs(root.cell);
  for (int v = 0; v < count; ++v) {
    set_bit(tree_.subtree(v), v);
    set_bit(tree_.subtree(root.node), v);
    if (v < n && v != root.node) tree_.potential[v] = -from_root[v];
  }
  if (!cost_->is_metric()) hang_sources(root.node);
  tree_.sort();
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
    set_bit(tree_.subtree(sink), source.node);
  }
}

void EmdSolver::set_supply() {
  supply_.assign(tree_.nodes.size(), 0);
  for (std::size_t i = 0; i < q_.size(); ++i) supply_[i] = -q_[i];
  for (const Source& source : sources_) supply_[source.node] += p_[source.cell];
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

EmdSolver::Source EmdSolver::source_at(int node) const {
  const int n = cost_->cells();
  return node < n ? Source{node, node} : sources_[node - n];
}

/// Of the arcs into the moved subtree (or out of it) the one that is least above the potentials, of
/// equal ones the first by source, then sink.
EmdSolver::Arc EmdSolver::entering_arc(bool into_subtree) {
  int sources = 0, sinks = 0;
  for (std::size_t w = 0; w < moved_.size(); ++w) {
    from_[w] = source_nodes_[w] & (into_subtree ? ~moved_[w] : moved_[w]);
    to_[w] = sink_nodes_[w] & (into_subtree ? moved_[w] : ~moved_[w]);
    sources += std::popcount(from_[w]);
    sinks += std::popcount(to_[w]);
  }
  std::ranges::fill(open_, kInfinity);
  const Arc arc = sources < sinks ? least_arc_by_source() : least_arc_by_sink();
  assert(arc.reduced_cost >= 0 && arc.reduced_cost < kInfinity);
  return arc;
}

EmdSolver::Arc EmdSolver::least_arc_by_source() {
  const int n = cost_->cells();
  for_each_bit(to_, [&](int t) { open_[t] = tree_.potential[t]; });
  Arc best{.reduced_cost = kInfinity};
  for_each_bit(from_, [&](int v) {
    const Source source = source_at(v);
    const double* const costs = cost_->whole_costs(source.cell);
    const double least = least_sum(costs, open_.data(), n);
    Arc arc{.reduced_cost = least - tree_.potential[v], .source = source};
    if (arc.reduced_cost >= best.reduced_cost) return;  // of equal ones the first
    while (costs[arc.sink] + open_[arc.sink] != least) ++arc.sink;
    best = arc;
  });
  return best;
}

EmdSolver::Arc EmdSolver::least_arc_by_sink() {
  const int n = cost_->cells();
  for_each_bit(from_, [&](int v) { open_[source_at(v).cell] = -tree_.potential[v]; });
  Arc best{.reduced_cost = kInfinity};
  for_each_bit(to_, [&](int t) {
    const double* const costs = cost_->whole_costs_to(t);
    const double least = least_sum(costs, open_.data(), n);
    if (least + tree_.potential[t] > best.reduced_cost) return;
    int cell = 0;
    while (costs[cell] + open_[cell] != least) ++cell;
    const auto source = std::ranges::lower_bound(sources_, cell, {}, &Source::cell);
    best = std::min(best, Arc{least + tree_.potential[t], *source, t});
  });
  return best;
}

/// The arc above `leaving` has a negative flow: its subtree lacks mass, or has too much, and is
/// hung where that costs least. All its potentials shift until the new arc is tight.
void EmdSolver::pivot(int leaving) {
  std::ranges::copy(tree_.subtree(leaving), moved_.begin());
  const bool lacks = tree_.nodes[leaving].is_source;
  const Arc arc = entering_arc(lacks);
  const double shift = lacks ? -arc.reduced_cost : arc.reduced_cost;
  for_each_bit(moved_, [&](int v) { tree_.potential[v] += shift; });
  if (lacks) {
    turn(leaving, arc.sink, arc.source.node, false);
  } else {
    turn(leaving, arc.source.node, arc.sink, true);
  }
}

/// The moved subtree with its supply joins, or leaves, those of each node from `v` up.
void EmdSolver::add_upward(int v, std::int64_t supply, bool joins) {
  const int root = tree_.order[0];
  for (;; v = tree_.nodes[v].parent) {
    const std::span<std::uint64_t> below = tree_.subtree(v);
    for (std::size_t w = 0; w < below.size(); ++w) below[w] ^= moved_[w];
    if (v == root) return;
    flow_[v] += tree_.nodes[v].is_source == joins ? supply : -supply;
  }
}

/// Hangs the subtree of `leaving` by its node `first` from `parent`; `is_source`: of the new arc.
void EmdSolver::turn(int leaving, int first, int parent, bool is_source) {
  const std::int64_t supply = tree_.nodes[leaving].is_source ? flow_[leaving] : -flow_[leaving];
  add_upward(tree_.nodes[leaving].parent, supply, false);
  // Up the old path, each node takes over what was above it: all but its old subtree.
  Node now{.parent = parent, .is_source = is_source};
  std::int64_t now_supply = supply;
  lost_.assign(moved_.size(), 0);
  for (int v = first;;) {
    const Node before = std::exchange(tree_.nodes[v], now);
    const std::int64_t flow = std::exchange(flow_[v], now.is_source ? now_supply : -now_supply);
    const std::span<std::uint64_t> below = tree_.subtree(v);
    for (std::size_t w = 0; w < below.size(); ++w) {
      lost_[w] = std::exchange(below[w], moved_[w] & ~lost_[w]);
    }
    if (v == leaving) break;
    now = {.parent = v, .is_source = !before.is_source};
    now_supply = supply - (before.is_source ? flow : -flow);
    v = before.parent;
  }
  add_upward(parent, supply, true);
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
