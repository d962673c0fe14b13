#include "flipscope/analysis/lane_search.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace flipscope {

double ValueRange::factor(const ErrorMap& map) const {
  if (map.total == 0) return 0;
  std::int64_t matter = undefined ? map.undefined : 0;
  for (int side = 0; side < 2; ++side) {
    for (int k = first[side]; k < kLarge; ++k) matter += map.counts[side][k];
    if (large[side]) matter += map.counts[side][kLarge];
  }
  return static_cast<double>(matter) / static_cast<double>(map.total);
}

SearchWork& SearchWork::operator+=(const SearchWork& more) {
  targets += more.targets;
  runs += more.runs;
  none += more.none;
  on_line += more.on_line;
  out_of_line += more.out_of_line;
  early += more.early;
  return *this;
}

LaneSearch::LaneSearch(const ErrorMap& map, int side, const SearchOptions& options)
    : side_(side), bisect_(options.bisect) {
  for (int k = 0; k < kLarge; ++k) {
    if (map.counts[side][k] > 0) candidates_.push_back(k);
  }
  hit_ = count();
  bent_ = count();
  tested_.assign(candidates_.size(), false);
  const bool large = map.counts[side][kLarge] > 0;
  large_matters_ = large && options.large_is_critical;
  large_pending_ = large && !options.large_is_critical;
  large_value_ = map.large_value(side);
  // One of the sides looks after NaN.
  undefined_matters_ = side == 0 && map.undefined > 0 && options.large_is_critical;
  undefined_pending_ = side == 0 && map.undefined > 0 && !options.large_is_critical;
}

float LaneSearch::next() {
  if (large_pending_) return large_value_;
  if (cleared_ < hit_) {
    probe_ = choose();
    return value(probe_);
  }
  return undefined_pending_ ? std::numeric_limits<float>::quiet_NaN() : 0.0f;
}

void LaneSearch::learn(bool changed, bool on_line, double crossing, SearchWork& work) {
  const int settled = cleared_;
  if (large_pending_) {
    large_pending_ = false;
    large_matters_ = changed;
    if (on_line) settle_below(count(), changed, crossing * std::fabs(double{large_value_}));
    if (bisect_ && !changed) cleared_ = hit_;
  } else if (cleared_ < hit_) {
    learn_candidate(changed, on_line, crossing);
  } else {
    undefined_pending_ = false;
    undefined_matters_ = changed;
  }
  ++work.runs;
  work.on_line += on_line ? 1 : 0;
  if (on_line) work.out_of_line += static_cast<std::uint64_t>(std::max(cleared_ - settled, 0));
}

void LaneSearch::result(ValueRange& range) const {
  range.first[side_] = hit_ < count() ? candidates_[hit_] : kCandidates;
  range.large[side_] = large_matters_;
  if (side_ == 0) range.undefined = undefined_matters_;
}

float LaneSearch::value(int i) const {
  const auto size = static_cast<float>(candidate_value(candidates_[i]));
  return side_ == 0 ? size : -size;
}

/// `bisect`: the largest first, since mostly none matters. Else δ = ±1 first, or what lies next to
/// it, and then where a run can settle most.
int LaneSearch::choose() const {
  if (bisect_) return hit_ == count() ? count() - 1 : (cleared_ + hit_) / 2;
  if (cleared_ == 0 && hit_ == count() && bent_ == count()) {
    const auto above = std::ranges::upper_bound(candidates_, -kLeastExponent);
    return std::max(static_cast<int>(above - candidates_.begin()) - 1, 0);
  }
  const int end = std::min(hit_, bent_);
  if (end - cleared_ > 2) return (cleared_ + end) / 2;
  return cleared_;
}

void LaneSearch::learn_candidate(bool changed, bool on_line, double crossing) {
  tested_[probe_] = true;
  if (on_line) {
    settle_below(probe_ + 1, changed, crossing * candidate_value(candidates_[probe_]));
    return;
  }
  if (changed) hit_ = std::min(hit_, probe_);
  if (bisect_ && !changed) cleared_ = std::max(cleared_, probe_ + 1);
  bent_ = std::min(bent_, probe_);
  while (cleared_ < hit_ && tested_[cleared_]) ++cleared_;
}

/// Candidates before `end` change the decision from `size` on, if at all.
void LaneSearch::settle_below(int end, bool changed, double size) {
  int first = end;
  if (changed) {
    first = 0;
    while (first < end && candidate_value(candidates_[first]) < size) ++first;
  }
  cleared_ = std::max(cleared_, std::min(first, hit_));
  if (first < end) hit_ = std::min(hit_, first);
  cleared_ = std::min(cleared_, hit_);
  while (cleared_ < hit_ && tested_[cleared_]) ++cleared_;
}

}  // namespace flipscope
