#include "flipscope/analysis/slice_cost.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <set>

#include "flipscope/numeric/hash.h"
#include "flipscope/numeric/random.h"

namespace flipscope {
namespace {

constexpr std::uint64_t kStream = 0x636f7374;
constexpr std::uint64_t kNeighbours = 8;

/// Mean seconds of one call f(i) for i = 0 … n − 1, after one that is not counted.
template <typename F>
double mean_seconds(std::size_t n, F f) {
  f(std::size_t{0});
  const auto begin = std::chrono::steady_clock::now();
  for (std::size_t i = 0; i < n; ++i) f(i);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  return took.count() / static_cast<double>(n);
}

/// Stretches of neighbours at random places among a slice's faults.
std::vector<std::uint64_t> draw(const std::vector<std::uint64_t>& faults, std::uint64_t count,
                                Random& random) {
  if (faults.size() <= count) return faults;
  std::set<std::uint64_t> drawn;
  while (drawn.size() < count) {
    const std::uint64_t first = random.below(faults.size());
    for (std::uint64_t k = first; k < std::min(first + kNeighbours, faults.size()); ++k) {
      drawn.insert(faults[k]);
    }
  }
  return {drawn.begin(), drawn.end()};
}

Digest digest_of(const SliceChange& change) {
  Hasher hasher;
  hasher.update(std::as_bytes(std::span(change.elements)));
  hasher.update(std::as_bytes(std::span(change.d)));
  return hasher.digest();
}

SliceCost measure_slice(const SliceProblem& problem, std::size_t slice,
                        const std::vector<std::uint64_t>& numbers,
                        const std::vector<SliceColumn>& columns,
                        const SliceDerivatives& derivatives) {
  const Block& block = problem.blocks().front();
  const auto samples = static_cast<double>(block.samples);
  std::vector<Fault> faults;
  for (const std::uint64_t number : numbers) {
    faults.push_back({FaultEffect::flip, {problem.space().site(number)}});
  }
  const std::size_t n = faults.size();
  SliceCost cost;
  cost.slice = slice;
  cost.faults = n;
  SliceRun run(problem.program(), problem.space(), problem.slicing(), problem.units());
  cost.run = mean_seconds(n, [&](std::size_t i) { run(slice, block, faults[i]); }) / samples;
  if (problem.at_sums()) {
    WeightUpdate update(problem.program(), problem.space(), problem.slicing());
    cost.update =
        mean_seconds(n, [&](std::size_t i) { update(slice, block, faults[i]); }) / samples;
  }
  std::vector<SliceChange> changes;
  for (const Fault& fault : faults) changes.push_back(run(slice, block, fault));
  std::vector<double> sums(columns.size());
  for (const SliceColumn& column : columns) {
    const ColumnReader reader({column});
    SliceMeter meter(problem, column.heuristic->needs);
    cost.column.push_back(mean_seconds(n,
                                       [&](std::size_t i) {
                                         if (changes[i].elements.empty()) return;
                                         meter.measure(slice, block, changes[i], derivatives);
                                         reader.add(meter, block.samples, sums.data());
                                       }) /
                          samples);
  }
  if (problem.model(slice).classes > 0) {
    cost.centroids_from_scratch =
        mean_seconds(
            n, [&](std::size_t i) { distances_from_scratch(problem, slice, block, changes[i]); }) /
        samples;
  }
  std::map<Digest, int> seen;
  cost.comparing = mean_seconds(n, [&](std::size_t i) { digest_of(changes[i]); }) / samples;
  double unchanged = 0, coinciding = 0;
  for (const SliceChange& change : changes) {
    unchanged += change.elements.empty() ? 1 : 0;
    coinciding += !change.elements.empty() && seen[digest_of(change)]++ > 0 ? 1 : 0;
  }
  cost.unchanged = unchanged / static_cast<double>(n);
  cost.coinciding = coinciding / static_cast<double>(n);
  double* const by_method[] = {&cost.exact, &cost.suffix, &cost.whole};
  for (const Method method : {Method::difference, Method::suffix, Method::whole}) {
    FaultyRun whole(problem.program(), problem.space(), method);
    *by_method[static_cast<int>(method)] =
        mean_seconds(n, [&](std::size_t i) { whole(block, faults[i]); }) / samples;
  }
  return cost;
}

}  // namespace

std::vector<double> distances_from_scratch(const SliceProblem& problem, std::size_t slice,
                                           const Block& block, const SliceChange& change) {
  const SliceModel& model = problem.model(slice);
  const int lanes = block.lanes;
  std::vector<double> squared(static_cast<std::size_t>(model.classes) * lanes);
  std::int64_t first = 0;
  std::size_t next = 0;
  std::vector<float> y(lanes);
  for (const int v : problem.slicing().slices[slice].outputs) {
    const std::int64_t elements = element_count(problem.graph().values[v].shape);
    for (std::int64_t e = 0; e < elements; ++e) {
      const bool changed = next < change.elements.size() && change.elements[next] == first + e;
      for (int l = 0; l < lanes; ++l) {
        y[l] = block.values[v][e * lanes + l] * model.units[first + e] +
               (changed ? change.d[next * lanes + l] : 0);
      }
      next += changed ? 1 : 0;
      for (int k = 0; k < model.classes; ++k) {
        const float centre = model.rows[k * std::ssize(model.units) + first + e];
        for (int l = 0; l < lanes; ++l) {
          const double d = static_cast<double>(y[l]) - centre;
          squared[k * lanes + l] += d * d;
        }
      }
    }
    first += elements;
  }
  return squared;
}

std::vector<SliceCost> measure_cost(const SliceProblem& problem,
                                    const std::vector<std::uint64_t>& faults,
                                    const std::vector<SliceColumn>& columns, std::uint64_t count,
                                    std::uint64_t seed, const std::atomic<bool>& stop) {
  std::map<std::size_t, std::vector<std::uint64_t>> of_slice;
  for (const std::uint64_t fault : faults) {
    of_slice[problem.slice_of(problem.space().site(fault))].push_back(fault);
  }
  const std::vector<SliceDerivatives> derivatives = problem.derivatives(0);
  std::vector<SliceCost> costs;
  for (const auto& [slice, members] : of_slice) {
    if (stop) break;
    Random random(seed, kStream + slice);
    const std::vector<std::uint64_t> drawn = draw(members, count, random);
    costs.push_back(measure_slice(problem, slice, drawn, columns, derivatives[slice]));
  }
  return costs;
}

}  // namespace flipscope
