#include "flipscope/analysis/search_pool.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <list>
#include <map>
#include <optional>
#include <utility>

#include "flipscope/engine/nan_spread.h"
#include "flipscope/numeric/hash.h"

namespace flipscope {
namespace {

constexpr std::size_t kRunLanes = 64;
constexpr std::size_t kSiftLanes = 128;

class SearchPool {
 public:
  SearchPool(PerturbedRun& run, const Graph& graph, const Block& block, int value,
             const SearchOptions& options, const NextTarget& next, const TargetFound& found)
      : run_(run),
        block_(block),
        value_(value),
        options_(options),
        next_(next),
        found_(found),
        check_(graph, block),
        line_values_(element_count(graph.values[run.line_value()].shape)),
        golden_end_(block.values[run.line_value()].data()),
        unmoved_(block.lanes),
        spreads_nan_(spreads_nan(graph, value)) {
    check_(block.values[graph.outputs[0]].data(), unmoved_.data());
  }

  void work(const std::atomic<bool>& stop) {
    while (!stop) {
      while (!stop && ready_.size() < kRunLanes && (!fresh_.empty() || open_next())) sift();
      if (stop || ready_.empty()) return;
      probe();
    }
  }

 private:
  /// What came of a run; `crossing` as LaneSearch::learn() has it.
  struct Outcome {
    bool changed = false, on_line = false;
    double crossing = 1;
  };

  struct Open;

  /// A run that a search waits for.
  struct Trial {
    Open* of = nullptr;
    std::size_t search = 0, sample = 0;
    float delta = 0;
    Digest reached{};
  };

  /// A target with its searches, [side][sample].
  struct Open {
    std::unique_ptr<SearchTarget> target;
    std::vector<LaneSearch> searches;
    /// [search] what came of that which runs left before the next weighted layers.
    std::vector<std::map<Digest, Outcome>> seen;
    bool nan_runs = false;
    std::optional<bool> nan_matters;  ///< once it has run
    std::vector<Trial> nan_waits;     ///< of samples that this run speaks for
    std::size_t pending = 0;
    std::uint64_t order = 0;
  };

  /// False where there are no more targets.
  bool open_next() {
    std::unique_ptr<SearchTarget> target = next_();
    if (!target) return false;
    Open& open = open_.emplace_back();
    open.order = opened_++;
    open.target = std::move(target);
    SearchTarget& of = *open.target;
    const std::size_t samples = of.maps.size();
    of.ranges.resize(samples);
    of.works.assign((samples + kSearchSamples - 1) / kSearchSamples, {});
    for (std::size_t k = 0; k < 2 * samples; ++k) {
      open.searches.emplace_back(of.maps[k % samples], k < samples ? 0 : 1, options_);
    }
    open.seen.resize(2 * samples);
    std::vector<bool> runs(samples, false);
    for (std::size_t k = 0; k < 2 * samples; ++k) {
      if (go_on(open, k)) runs[k % samples] = true;
    }
    for (std::size_t s = 0; s < samples; ++s) {
      SearchWork& work = of.works[s / kSearchSamples];
      ++work.targets;
      work.none += runs[s] ? 0 : 1;
    }
    if (open.pending == 0) close(open);
    return true;
  }

  /// False where a search has ended.
  bool go_on(Open& open, std::size_t search) {
    const float delta = open.searches[search].next();
    if (delta == 0) return false;
    fresh_.push_back({&open, search, search % open.target->maps.size(), delta, {}});
    ++open.pending;
    return true;
  }

  void close(Open& open) {
    SearchTarget& of = *open.target;
    for (std::size_t k = 0; k < open.searches.size(); ++k) {
      open.searches[k].result(of.ranges[k % of.maps.size()]);
    }
    found_(of);
    open_.erase(std::ranges::find_if(open_, [&](const Open& one) { return &one == &open; }));
  }

  void learn(const Trial& trial, const Outcome& of) {
    Open& open = *trial.of;
    SearchWork& work = open.target->works[trial.sample / kSearchSamples];
    open.searches[trial.search].learn(of.changed, of.on_line && of.crossing <= 1, of.crossing,
                                      work);
    --open.pending;
    if (!go_on(open, trial.search) && open.pending == 0) close(open);
  }

  /// Takes the first of some trials, and readies additions and lanes for them.
  std::vector<Trial> take(std::vector<Trial>& trials, std::size_t most) {
    const auto end = trials.begin() + static_cast<std::ptrdiff_t>(std::min(most, trials.size()));
    std::vector<Trial> taken(trials.begin(), end);
    trials.erase(trials.begin(), end);
    additions_.clear();
    for (const Trial& trial : taken) {
      additions_.push_back(
          {&trial.of->target->elements, trial.delta, static_cast<std::int32_t>(trial.sample)});
    }
    return taken;
  }

  double crossing(int lane, int lanes, std::int32_t sample) {
    return line_crossing({golden_end_, block_.lanes, sample}, {run_.line_output(), lanes, lane},
                         line_values_, check_.golden()[sample]);
  }

  /// Learns what comes of errors that die early, or end as another did; the others are ready to be
  /// run.
  void sift() {
    std::vector<Trial> trials = take(fresh_, kSiftLanes);
    if (trials.empty()) return;
    const std::vector<std::vector<std::uint64_t>>& reached = run_.reach(block_, value_, additions_);
    const std::vector<std::uint8_t>& lines = run_.on_line();
    for (std::size_t l = 0; l < trials.size(); ++l) {
      Trial& trial = trials[l];
      const bool line = lines[l] != 0;
      Outcome outcome;
      if (reached[l].empty()) {
        outcome = unmoved(static_cast<int>(trial.sample), line);
      } else {
        trial.reached = Hasher().update(std::as_bytes(std::span(reached[l]))).digest();
        const auto& seen = trial.of->seen[trial.search];
        const auto at = seen.find(trial.reached);
        if (at == seen.end()) {
          if (!another_speaks(trial)) ready_.push_back(trial);
          continue;
        }
        outcome = at->second;
        outcome.on_line = outcome.on_line && line;
      }
      learn_early(trial, outcome);
    }
  }

  /// True where the NaN of another sample is run or has been: as it does, so does this.
  bool another_speaks(const Trial& trial) {
    if (!speaks_for_nan(trial)) return false;
    Open& open = *trial.of;
    if (open.nan_matters) {
      learn_early(trial, {.changed = *open.nan_matters});
    } else if (open.nan_runs) {
      open.nan_waits.push_back(trial);
    } else {
      open.nan_runs = true;
      return false;
    }
    return true;
  }

  bool speaks_for_nan(const Trial& trial) const {
    return spreads_nan_ && std::isnan(trial.delta) && unmoved_[trial.sample] == 0;
  }

  void learn_early(const Trial& trial, const Outcome& outcome) {
    ++trial.of->target->works[trial.sample / kSearchSamples].early;
    learn(trial, outcome);
  }

  /// What comes of an error that dies.
  Outcome unmoved(int sample, bool line) const {
    Outcome outcome{.changed = unmoved_[sample] != 0, .on_line = line};
    if (line && outcome.changed) {
      const LaneNumbers golden{golden_end_, block_.lanes, sample};
      outcome.crossing = line_crossing(golden, golden, line_values_, check_.golden()[sample]);
    }
    return outcome;
  }

  /// Runs trials of the oldest targets, which mostly are trials of one.
  void probe() {
    std::ranges::stable_sort(ready_, {}, [](const Trial& trial) { return trial.of->order; });
    const std::vector<Trial> trials = take(ready_, kRunLanes);
    const int lanes = lanes_of(static_cast<int>(trials.size()));
    std::vector<std::int32_t> picked(lanes, additions_.front().lane);
    for (std::size_t l = 0; l < trials.size(); ++l) picked[l] = additions_[l].lane;
    std::vector<std::uint8_t> changed(lanes);
    check_(run_.add(block_, value_, additions_), picked, changed.data());
    for (int l = 0; l < std::ssize(trials); ++l) {
      Outcome outcome{.changed = changed[l] != 0, .on_line = run_.on_line()[l] != 0};
      if (outcome.on_line && outcome.changed) outcome.crossing = crossing(l, lanes, picked[l]);
      trials[l].of->seen[trials[l].search].emplace(trials[l].reached, outcome);
      if (speaks_for_nan(trials[l])) {
        trials[l].of->nan_matters = outcome.changed;
        for (const Trial& other : std::exchange(trials[l].of->nan_waits, {})) {
          learn_early(other, {.changed = outcome.changed});
        }
      }
      learn(trials[l], outcome);
    }
  }

  PerturbedRun& run_;
  const Block& block_;
  int value_;
  const SearchOptions& options_;
  const NextTarget& next_;
  const TargetFound& found_;
  DecisionCheck check_;
  std::int64_t line_values_;
  const float* golden_end_;
  std::vector<std::uint8_t> unmoved_;  ///< [sample] whether the golden outputs are no numbers
  bool spreads_nan_;
  std::list<Open> open_;
  std::uint64_t opened_ = 0;
  std::vector<Trial> fresh_, ready_;
  std::vector<Addition> additions_;
};

}  // namespace

void find_together(PerturbedRun& run, const Graph& graph, const Block& block, int value,
                   const SearchOptions& options, const NextTarget& next, const TargetFound& found,
                   const std::atomic<bool>& stop) {
  SearchPool(run, graph, block, value, options, next, found).work(stop);
}

}  // namespace flipscope
