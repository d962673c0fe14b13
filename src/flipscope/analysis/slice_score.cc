#include "flipscope/analysis/slice_score.h"

#include <oneapi/tbb/enumerable_thread_specific.h>
#include <oneapi/tbb/parallel_for.h>

#include <algorithm>
#include <memory>

namespace flipscope {
namespace {

constexpr std::size_t kTaskFaults = 64;

/// What one thread needs.
struct Scratch {
  Scratch(const SliceProblem& problem, unsigned needs)
      : run(problem.program(), problem.space(), problem.slicing(), problem.units()),
        update(problem.program(), problem.space(), problem.slicing()),
        meter(problem, needs) {}

  SliceRun run;
  WeightUpdate update;
  SliceMeter meter;
};

}  // namespace

unsigned needs_of(const std::vector<SliceColumn>& columns) {
  unsigned needs = kNeedsNothing;
  for (const SliceColumn& column : columns) needs |= column.heuristic->needs;
  return needs;
}

ColumnReader::ColumnReader(const std::vector<SliceColumn>& columns) {
  for (std::size_t c = 0; c < columns.size(); ++c) {
    reducers_.emplace_back(columns[c]);
    const auto same = std::ranges::find(groups_, columns[c].heuristic, &Group::heuristic);
    if (same == groups_.end()) {
      groups_.push_back({columns[c].heuristic, {c}});
    } else {
      same->columns.push_back(c);
    }
  }
}

void ColumnReader::add(const SliceMeter& meter, int samples, double* sums) const {
  for (int lane = 0; lane < samples; ++lane) {
    const SampleChange change = meter.at(lane);
    if (change.l1 == 0) continue;  // Every h is 0.
    for (const Group& group : groups_) {
      const double h = group.heuristic->value(change);
      for (const std::size_t c : group.columns) reducers_[c].add(h, sums[c]);
    }
  }
}

bool add_scores(const SliceProblem& problem, const std::vector<std::uint64_t>& faults,
                const std::vector<SliceColumn>& columns, ChangeSource source, SliceScores& scores,
                const std::atomic<bool>& stop, const std::function<void(std::uint64_t)>& tick,
                const std::function<void()>& done) {
  const unsigned needs = needs_of(columns);
  const ColumnReader reader(columns);
  scores.sums.resize(faults.size() * columns.size());
  tbb::enumerable_thread_specific<std::unique_ptr<Scratch>> scratch(
      [&] { return std::make_unique<Scratch>(problem, needs); });
  for (std::size_t b = scores.blocks; b < problem.blocks().size(); ++b) {
    const Block& block = problem.blocks()[b];
    const std::vector<SliceDerivatives> derivatives = problem.derivatives(b);
    std::vector<double> sums = scores.sums;
    std::atomic<std::uint64_t> ran{b * faults.size()};
    tbb::parallel_for(
        tbb::blocked_range<std::size_t>(0, faults.size(), kTaskFaults),
        [&](const tbb::blocked_range<std::size_t>& range) {
          if (stop) return;
          Scratch& own = *scratch.local();
          for (std::size_t f = range.begin(); f < range.end(); ++f) {
            const FaultSite site = problem.space().site(faults[f]);
            const std::size_t slice = problem.slice_of(site);
            const Fault fault{FaultEffect::flip, {site}};
            const SliceChange& change = source == ChangeSource::run
                                            ? own.run(slice, block, fault)
                                            : own.update(slice, block, fault);
            if (change.elements.empty()) continue;
            own.meter.measure(slice, block, change, derivatives[slice]);
            reader.add(own.meter, block.samples, sums.data() + f * columns.size());
          }
          tick(ran += range.size());
        },
        tbb::simple_partitioner());
    if (stop) return false;
    scores.sums = std::move(sums);
    scores.blocks = b + 1;
    done();
  }
  return true;
}

std::vector<double> finished(const SliceProblem& problem, const std::vector<SliceColumn>& columns,
                             const SliceScores& scores) {
  std::vector<double> result(scores.sums.size());
  for (std::size_t c = 0; c < columns.size(); ++c) {
    const Reducer reducer(columns[c]);
    for (std::size_t i = c; i < result.size(); i += columns.size()) {
      result[i] = reducer.finish(scores.sums[i], problem.samples());
    }
  }
  return result;
}

}  // namespace flipscope
