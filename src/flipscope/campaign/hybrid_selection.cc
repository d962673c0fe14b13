#include "flipscope/campaign/hybrid_selection.h"

#include <tbb/global_control.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <numeric>
#include <utility>

#include "flipscope/analysis/hybrid.h"
#include "flipscope/analysis/slice_score.h"
#include "flipscope/campaign/thread_count.h"
#include "flipscope/campaign/ticker.h"
#include "flipscope/numeric/error.h"

namespace flipscope {
namespace {

class Hybrid : public Selection {
 public:
  Hybrid(const FaultSpace& space, FaultEffect effect, std::vector<double> priorities,
         std::string heuristic, std::uint64_t audit, std::uint64_t seed)
      : space_(space),
        effect_(effect),
        priorities_(std::move(priorities)),
        heuristic_(std::move(heuristic)),
        order_(draw_audit(space.size(), audit, seed)) {
    audit_ = order_.size();
    std::vector<char> audited(space.size(), 0);
    for (const std::uint64_t fault : order_) audited[fault] = 1;
    for (std::uint64_t fault = 0; fault < space.size(); ++fault) {
      if (audited[fault] == 0) order_.push_back(fault);
    }
    std::stable_sort(
        order_.begin() + static_cast<std::ptrdiff_t>(audit_), order_.end(),
        [&](std::uint64_t a, std::uint64_t b) { return priorities_[a] > priorities_[b]; });
  }

  std::uint64_t size() const override { return order_.size(); }
  std::uint64_t population() const override { return 0; }
  Fault fault(std::uint64_t row) const override { return {effect_, {space_.site(order_[row])}}; }
  std::unique_ptr<Chooser> chooser() const override;

  std::uint64_t audit() const { return audit_; }
  double priority(std::uint64_t row) const { return priorities_[order_[row]]; }
  const std::string& heuristic() const { return heuristic_; }

  /// Rows up to the last that is not audited and reaches the bar.
  std::uint64_t rows_at(double bar) const {
    const auto end =
        std::partition_point(order_.begin() + static_cast<std::ptrdiff_t>(audit_), order_.end(),
                             [&](std::uint64_t fault) { return priorities_[fault] >= bar; });
    return static_cast<std::uint64_t>(end - order_.begin());
  }

 private:
  const FaultSpace& space_;
  FaultEffect effect_;
  std::vector<double> priorities_;
  std::string heuristic_;
  std::vector<std::uint64_t> order_;  ///< [row] fault
  std::uint64_t audit_ = 0;           ///< rows that are audited
};

class HybridChooser : public Chooser {
 public:
  explicit HybridChooser(const Hybrid& hybrid) : hybrid_(hybrid), size_(hybrid.size()) {}

  std::vector<std::uint64_t> next(std::uint64_t first, std::uint64_t count) override {
    // The bar is set once the audit is over: until then nothing behind it is wanted.
    const std::uint64_t end = seen_ < hybrid_.audit() ? hybrid_.audit() : size_;
    std::vector<std::uint64_t> rows;
    for (std::uint64_t row = std::max(first, seen_); row < std::min(first + count, end); ++row) {
      rows.push_back(row);
    }
    return rows;
  }

  void observe(const Observation& observation) override {
    if (observation.row >= size_) return;
    seen_ = observation.row + 1;
    critical_ += observation.critical_share;
    if (seen_ > hybrid_.audit()) return;
    audited_.push_back({hybrid_.priority(observation.row), observation.critical_share});
    if (seen_ == hybrid_.audit()) set_bar();
  }

  std::uint64_t size() const override { return size_; }
  bool in_order() const override { return true; }
  std::vector<std::string> notes() const override;

 private:
  void set_bar();

  const Hybrid& hybrid_;
  std::uint64_t size_;
  std::uint64_t seen_ = 0;
  double critical_ = 0;  ///< sum of the shares of all rows
  std::vector<Audited> audited_;
  HybridError error_;
};

void HybridChooser::set_bar() {
  const auto half = audited_.begin() + std::ssize(audited_) / 2;
  const double bar = choose_bar({audited_.begin(), half});
  size_ = hybrid_.rows_at(bar);
  std::vector<double> below;
  for (auto fault = half; fault != audited_.end(); ++fault) {
    if (fault->priority < bar) below.push_back(fault->share);
  }
  error_ = left_error(below, hybrid_.size() - size_ + below.size(), hybrid_.size());
}

std::vector<std::string> HybridChooser::notes() const {
  if (seen_ < size_) return {};
  const auto space = static_cast<double>(hybrid_.size());
  const double known = critical_ / space;
  return {
      fmt::format("hybrid: {} of {} faults were run, {} as audit, the others by {}; rates are of "
                  "these",
                  seen_, hybrid_.size(), hybrid_.audit(), hybrid_.heuristic()),
      fmt::format("hybrid: the faults that were not run add {:.3g} to a critical rate of {:.6g} "
                  "over the whole space, with {:.0f}% confidence {:.3g} to {:.3g}",
                  error_.stated, known, 100 * HybridRules::kConfidence, error_.interval.lower,
                  error_.interval.upper)};
}

std::unique_ptr<Chooser> Hybrid::chooser() const {
  return std::make_unique<HybridChooser>(*this);
}

}  // namespace

std::uint64_t default_audit(std::uint64_t space) {
  constexpr std::uint64_t kLeast = 8000;
  return std::min(std::max(kLeast, space / 20), std::max<std::uint64_t>(2, space / 4));
}

std::vector<double> hybrid_priorities(const Graph& graph, const Samples& samples,
                                      const FaultSpace& space, const std::string& heuristic,
                                      const CampaignOptions& options,
                                      const std::atomic<bool>* stop) {
  const std::vector<SliceColumn> columns =
      parse_columns({heuristic}, SliceProblem::decides(graph, samples));
  if (columns.size() != 1) {
    fail("faults", "--select hybrid needs one heuristic, not {}", heuristic);
  }
  const SliceProblem problem(graph, first_samples(samples, kHybridSamples), space,
                             {.needs = needs_of(columns)});
  std::vector<std::uint64_t> faults(space.size());
  std::iota(faults.begin(), faults.end(), std::uint64_t{0});
  SliceScores scores;
  const std::atomic<bool> never{false};
  const auto start = std::chrono::steady_clock::now();
  const std::uint64_t blocks = problem.blocks().size();
  const std::function<void(std::uint64_t)> report = [&](std::uint64_t runs) {
    const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - start;
    if (options.scoring) options.scoring(runs / blocks, space.size(), passed.count());
  };
  Ticker ticker(report);
  const tbb::global_control limit(tbb::global_control::max_allowed_parallelism,
                                  static_cast<std::size_t>(thread_count(options.threads)));
  if (!add_scores(
          problem, faults, columns, ChangeSource::run, scores, stop != nullptr ? *stop : never,
          [&](std::uint64_t runs) { ticker(runs); }, [] {})) {
    throw Interrupted("[campaign] interrupted while faults were scored");
  }
  std::vector<double> priorities = finished(problem, columns, scores);
  const std::vector<double> work = exact_work(graph, problem.slicing());
  for (std::uint64_t fault = 0; fault < space.size(); ++fault) {
    priorities[fault] /= work[problem.slice_of(space.site(fault))];
  }
  return priorities;
}

std::unique_ptr<Selection> select_hybrid(const FaultSpace& space, FaultEffect effect,
                                         std::vector<double> priorities,
                                         const std::string& heuristic, std::uint64_t audit,
                                         std::uint64_t seed) {
  if (audit < 2 || audit > space.size()) {
    fail("faults", "--select hybrid: the audit has 2 to {} faults, not {}", space.size(), audit);
  }
  return std::make_unique<Hybrid>(space, effect, std::move(priorities), heuristic, audit, seed);
}

}  // namespace flipscope
