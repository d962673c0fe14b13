// The search for the ranges of many targets' values together.
//
// Each side of each sample of a target has a search of its own (lane_search.h), and they need
// different numbers of runs. Here a run's lanes are searches of any sample, side and target that
// wait, so that none stands still because others go on. Errors that die before they reach the
// next weighted layers are sifted out first, and those that leave the same there as another of
// their search did (what a ReLU cuts off, most of all): they cost next to nothing there.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <vector>

#include "flipscope/analysis/vulnerability_search.h"

namespace flipscope {

/// A target of searches together.
struct SearchTarget {
  std::size_t number = 0;  ///< the caller's
  Ranges elements;
  std::vector<ErrorMap> maps;      ///< [sample]
  std::vector<ValueRange> ranges;  ///< [sample]: to be found
  std::vector<SearchWork> works;   ///< [chunk of kSearchSamples samples]: was done
};

/// Gives the next target, or null; takes it back when its ranges are found.
using NextTarget = std::function<std::unique_ptr<SearchTarget>()>;
using TargetFound = std::function<void(const SearchTarget&)>;

/// The ranges of all targets that `next` gives, of one value, on a golden run whose lanes are
/// samples; the same as find_ranges() of each. Leaves off where `stop` is seen. Only for programs
/// that can_pick().
void find_together(PerturbedRun& run, const Graph& graph, const Block& block, int value,
                   const SearchOptions& options, const NextTarget& next, const TargetFound& found,
                   const std::atomic<bool>& stop);

}  // namespace flipscope
