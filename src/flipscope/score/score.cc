// Scores of outputs against labels, targets or the golden outputs.
#include "flipscope/score/score.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <limits>
#include <numeric>

#include "flipscope/numeric/error.h"
#include "flipscope/score/classification.h"

namespace flipscope {
namespace {

using Kind = ScoreSpec::Kind;

bool is_decision(Kind kind) {
  return kind == Kind::mispredict || kind == Kind::topk || kind == Kind::accuracy;
}

void check_decisions(const ScoreSpec& spec, const Samples& samples, int values) {
  if (values < 2) {
    fail("score", "{} needs a classifier with at least 2 outputs; the model has {}; use mse or mae",
         to_string(spec), values);
  }
  if (spec.kind == Kind::accuracy && samples.labels.empty()) {
    fail("score", "accuracy needs --labels; mispredict works without them");
  }
  if (spec.kind == Kind::topk && spec.k >= values) {
    fail("score", "topk:{} is always met by a model with {} outputs; K is at most {}", spec.k,
         values, values - 1);
  }
}

void check_emd(const ScorerOptions& options, const Samples& samples, int values) {
  if (!options.emd) fail("score", "emd needs its ground distance; give --emd-cost FILE");
  const int cells = options.emd->cost.cells();
  const std::vector<int>& map = options.emd->cells;
  const int mapped = map.empty() ? values : static_cast<int>(map.size());
  if (mapped != cells) {
    fail("score", "--emd-cost is for {} cells, but {} {}; {}", cells,
         map.empty() ? "the model's outputs are" : "--emd-cells names", mapped,
         map.empty() ? "give --emd-cells" : "give one output element per cell");
  }
  for (const int cell : map) {
    if (cell < 0 || cell >= values) {
      fail("score", "--emd-cells names output element {}; the model has {}, numbered from 0", cell,
           values);
    }
  }
  for (std::size_t i = 0; i < samples.targets.size(); ++i) {
    if (!std::isfinite(samples.targets[i])) fail("score", "target value {} is not finite", i);
  }
}

}  // namespace

Scorer::Scorer(const ScoreSpec& spec, const Samples& samples, int values, ScorerOptions options)
    : spec_(spec),
      labels_(samples.labels),
      targets_(samples.targets),
      target_size_(samples.target_size),
      values_(values),
      only_correct_(options.only_correct),
      counts_(static_cast<std::size_t>(samples.count), 1) {
  if (spec.kind == Kind::exec) fail("score", "exec is scored by its program");
  if (is_decision(spec.kind)) check_decisions(spec, samples, values);
  if (is_decision(spec.kind) || only_correct_) check_labels(samples, values);
  if (only_correct_ && labels_.empty()) fail("score", "--count-only-correct needs --labels");
  if (spec.kind == Kind::emd) check_emd(options, samples, values);
  const bool uses_targets =
      spec.kind == Kind::mse || spec.kind == Kind::mae || spec.kind == Kind::emd;
  const bool targets_are_cells =
      spec.kind == Kind::emd && target_size_ == options.emd->cost.cells();
  if (uses_targets && target_size_ != 0 && target_size_ != values && !targets_are_cells) {
    fail("score", "targets have {} values a sample; the model has {} outputs", target_size_,
         values);
  }
  if (spec.kind == Kind::emd) {
    emd_ = std::move(options.emd);
    solvers_.assign(kDecisionLanes, EmdSolver(emd_->cost));
    reference_.resize(static_cast<std::size_t>(emd_->cost.cells()));
    output_.resize(reference_.size());
  }
}

Scorer::Scorer(const Scorer& other)
    : spec_(other.spec_),
      labels_(other.labels_),
      targets_(other.targets_),
      target_size_(other.target_size_),
      values_(other.values_),
      only_correct_(other.only_correct_),
      counts_(other.counts_),
      emd_(other.emd_),
      reference_(other.reference_),
      output_(other.output_) {
  if (emd_) solvers_.assign(kDecisionLanes, EmdSolver(emd_->cost));
}

void Scorer::observe_golden(std::int64_t first, int samples, const float* golden, int lanes) {
  std::array<std::int32_t, kDecisionLanes> decision;
  std::array<std::uint8_t, kDecisionLanes> broken;
  assert(samples <= lanes && lanes <= kDecisionLanes);
  decide(golden, values_, lanes, decision.data());
  find_non_finite(golden, values_, lanes, broken.data());
  for (int l = 0; l < samples; ++l) {
    const std::size_t sample = static_cast<std::size_t>(first + l);
    bool counts = !only_correct_ || (!broken[l] && decision[l] == labels_[sample]);
    if (emd_ && !emd_->fkeras_sentinels) {
      counts &= reference_cells(first + l, golden, l, lanes, reference_.data());
    }
    counts_[sample] = counts ? 1 : 0;
  }
}

void Scorer::per_sample(std::int64_t first, int samples, const float* golden, const float* faulty,
                        int lanes, double* score) {
  std::array<std::int64_t, kDecisionLanes> numbers;
  std::iota(numbers.begin(), numbers.begin() + samples, first);
  per_sample(SampleNumbers(numbers).first(static_cast<std::size_t>(samples)), golden, faulty, lanes,
             score);
}

void Scorer::per_sample(std::span<const std::int64_t> samples, const float* golden,
                        const float* faulty, int lanes, double* score) {
  assert(samples.size() <= static_cast<std::size_t>(lanes) && lanes <= kDecisionLanes);
  if (is_decision(spec_.kind)) {
    score_decisions(samples, golden, faulty, lanes, score);
  } else if (spec_.kind == Kind::emd) {
    score_emd(samples, golden, faulty, lanes, score);
  } else {
    score_differences(samples, golden, faulty, lanes, score);
  }
  for (std::size_t l = 0; l < samples.size(); ++l) {
    if (!counts_[static_cast<std::size_t>(samples[l])]) score[l] = 0;
  }
}

void Scorer::score_decisions(SampleNumbers samples, const float* golden, const float* faulty,
                             int lanes, double* score) {
  std::array<std::int32_t, kDecisionLanes> expected{};
  std::array<std::uint8_t, kDecisionLanes> broken;
  find_non_finite(faulty, values_, lanes, broken.data());
  if (labels_.empty()) {
    decide(golden, values_, lanes, expected.data());
  } else {
    for (std::size_t l = 0; l < samples.size(); ++l) {
      expected[l] = labels_[static_cast<std::size_t>(samples[l])];
    }
  }
  std::array<std::uint8_t, kDecisionLanes> right;
  if (spec_.kind == Kind::topk) {
    among_top(faulty, values_, lanes, expected.data(), spec_.k, right.data());
  } else {
    std::array<std::int32_t, kDecisionLanes> decision;
    decide(faulty, values_, lanes, decision.data());
    for (int l = 0; l < lanes; ++l) right[l] = decision[l] == expected[l] ? 1 : 0;
  }
  for (std::size_t l = 0; l < samples.size(); ++l) {
    const bool is_right = right[l] && !broken[l];
    score[l] = is_right == (spec_.kind == Kind::accuracy) ? 1 : 0;
  }
}

void Scorer::score_differences(SampleNumbers samples, const float* golden, const float* faulty,
                               int lanes, double* score) const {
  std::fill_n(score, samples.size(), 0.0);
  for (int v = 0; v < values_; ++v) {
    const std::ptrdiff_t row = static_cast<std::ptrdiff_t>(v) * lanes;
    for (std::size_t l = 0; l < samples.size(); ++l) {
      const float target = targets_.empty()
                               ? golden[row + l]
                               : targets_[static_cast<std::size_t>(samples[l] * values_ + v)];
      const double difference = static_cast<double>(faulty[row + l]) - static_cast<double>(target);
      score[l] += spec_.kind == Kind::mse ? difference * difference : std::abs(difference);
    }
  }
  for (std::size_t l = 0; l < samples.size(); ++l) score[l] /= values_;
}

bool Scorer::reference_cells(std::int64_t sample, const float* golden, int lane, int lanes,
                             double* cells) const {
  if (targets_.empty()) return output_cells(golden, lane, lanes, cells);
  const float* target = targets_.data() + sample * target_size_;
  const bool mapped = !emd_->cells.empty() && target_size_ == values_;
  double sum = 0;
  for (int i = 0; i < emd_->cost.cells(); ++i) {
    cells[i] = std::max(0.0f, target[mapped ? emd_->cells[static_cast<std::size_t>(i)] : i]);
    sum += cells[i];
  }
  return sum > 0;
}

bool Scorer::output_cells(const float* out, int lane, int lanes, double* cells) const {
  double sum = 0;
  for (int i = 0; i < emd_->cost.cells(); ++i) {
    const int v = emd_->cells.empty() ? i : emd_->cells[static_cast<std::size_t>(i)];
    cells[i] = std::max(0.0f, out[static_cast<std::ptrdiff_t>(v) * lanes + lane]);
    sum += cells[i];
  }
  return sum > 0 && std::isfinite(sum);
}

void Scorer::score_emd(SampleNumbers samples, const float* golden, const float* faulty, int lanes,
                       double* score) {
  std::array<std::uint8_t, kDecisionLanes> broken;
  find_non_finite(faulty, values_, lanes, broken.data());
  for (int l = 0; l < static_cast<int>(samples.size()); ++l) {
    const std::int64_t sample = samples[static_cast<std::size_t>(l)];
    if (!counts_[static_cast<std::size_t>(sample)]) continue;
    if (!reference_cells(sample, golden, l, lanes, reference_.data())) {
      score[l] = -1;
    } else if (broken[l]) {
      score[l] = emd_->cost.diameter();
    } else if (!output_cells(faulty, l, lanes, output_.data())) {
      score[l] = emd_->fkeras_sentinels ? -0.5 : emd_->cost.diameter();
    } else {
      EmdSolver& solver = solvers_[static_cast<std::size_t>(sample) % solvers_.size()];
      score[l] = solver(reference_.data(), output_.data());
    }
  }
}

std::int64_t Scorer::counted() const {
  return std::ranges::count(counts_, std::uint8_t{1});
}

double Scorer::reduce(std::span<const double> leaf_sums) const {
  const double total = leaf_sum(leaf_sums);
  if (spec_.kind == Kind::mispredict || spec_.kind == Kind::topk) return total;
  const std::int64_t samples = counted();
  if (samples == 0) return std::numeric_limits<double>::quiet_NaN();
  return total / static_cast<double>(samples);
}

double leaf_sum(std::span<const double> scores) {
  double sum = 0;
  for (const double score : scores) sum += score;
  return sum;
}

}  // namespace flipscope
