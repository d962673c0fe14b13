// Vulnerability value ranges: the smallest candidate on each side that changes a decision when it
// is added to a target (DeepVigor+: Ahmadilivani et al., 2024).
//
// The search goes to the first hit among the candidates that faults reach. What is assumed:
// nothing below it (every candidate is run, or lies on one straight line with the golden run and a
// run that was made, see engine/line_check.h: this includes targets whose effect dies at a ReLU or
// a quantizer, the only sound form of a zero-gradient test); above it, that a larger δ of that sign
// changes the decision too, but for the candidate of the large ones, which has a run of its own.
// With `bisect` the search takes hits to be monotone, as the paper's costs suppose: where a large δ
// does not matter none does, and else it begins at the largest of the others.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "flipscope/analysis/error_map.h"

namespace flipscope {

struct SearchOptions {
  bool bisect = false;
  bool large_is_critical = false;  ///< else tested
};

/// A target's range for one sample: an error δ matters where δ ≥ 2^up or δ ≤ −2^down.
struct ValueRange {
  std::array<int, 2> first{kCandidates, kCandidates};  ///< [side] candidate; kCandidates: none
  /// [side] a large δ matters.
  std::array<bool, 2> large{false, false};
  bool undefined = false;  ///< NaN matters
  /// Share of the map's faults that matter: 1 − (F(δ⁺) − F(δ⁻)).
  double factor(const ErrorMap& map) const;
};

/// Work of searches, in runs of one sample from the target to the output.
struct SearchWork {
  std::uint64_t targets = 0;      ///< pairs of a target and a sample
  std::uint64_t runs = 0;         ///< made
  std::uint64_t none = 0;         ///< pairs that needed no run: no fault moves the target
  std::uint64_t on_line = 0;      ///< runs that settled all smaller candidates
  std::uint64_t out_of_line = 0;  ///< candidates that such runs settled
  /// Runs that ended before the next weighted layers: nothing arrived there, or what a run of the
  /// same search had left, or NaN, which another sample's run speaks for.
  std::uint64_t early = 0;

  SearchWork& operator+=(const SearchWork& more);
};

/// The search of one side of one sample.
class LaneSearch {
 public:
  LaneSearch(const ErrorMap& map, int side, const SearchOptions& options);

  /// The next δ to run, or 0.
  float next();

  /// `crossing`: where the run at δ is on a line, the share of δ from which on the decision
  /// changes.
  void learn(bool changed, bool on_line, double crossing, SearchWork& work);

  void result(ValueRange& range) const;

 private:
  int count() const { return static_cast<int>(candidates_.size()); }
  float value(int i) const;
  int choose() const;
  void learn_candidate(bool changed, bool on_line, double crossing);
  void settle_below(int end, bool changed, double size);

  int side_;
  bool bisect_;
  std::vector<int> candidates_;  ///< that faults reach, ascending, without the large ones
  int cleared_ = 0;              ///< so many of them do not change the decision
  int hit_ = 0;                  ///< the least that is known to
  int bent_ = 0;                 ///< the least whose run left the line
  int probe_ = 0;
  std::vector<bool> tested_;
  bool large_pending_ = false, large_matters_ = false;
  bool undefined_pending_ = false, undefined_matters_ = false;
  float large_value_ = 0;
};

}  // namespace flipscope
