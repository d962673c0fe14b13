// Scores and outcomes of samples.
#include "flipscope/campaign/judge.h"

namespace flipscope {

Leaf leaf_of(std::span<const Verdict> verdicts) {
  std::array<std::uint32_t, 4> counts{};
  Leaf leaf;
  for (const Verdict& verdict : verdicts) {
    ++counts[static_cast<std::size_t>(verdict.outcome)];
    leaf.score += verdict.score;
  }
  const auto count = [&](Outcome outcome) { return counts[static_cast<std::size_t>(outcome)]; };
  leaf.outcomes = {.masked = count(Outcome::masked),
                   .non_critical = count(Outcome::non_critical),
                   .critical = count(Outcome::critical),
                   .due = count(Outcome::due)};
  return leaf;
}

Judge::Judge(const Plan& plan, const std::optional<Scorer>& scorer,
             const std::vector<double>& golden_scores)
    : plan_(&plan), scorer_(scorer), golden_scores_(&golden_scores) {}

std::span<const Verdict> Judge::operator()(std::span<const std::int64_t> samples,
                                           const float* golden, const float* faulty, int lanes) {
  const std::uint8_t* meets = nullptr;
  if (scorer_) {
    scorer_->per_sample(samples, golden, faulty, lanes, scores_.data());
    if (plan_->critical()) {
      for (std::size_t l = 0; l < samples.size(); ++l) {
        const double before = (*golden_scores_)[static_cast<std::size_t>(samples[l])];
        critical_[l] = meets_condition(*plan_, scores_[l], before) ? 1 : 0;
      }
      meets = critical_.data();
    }
  }
  classify_samples(golden, faulty, plan_->values(), static_cast<int>(samples.size()), lanes,
                   plan_->outcome_rules(), meets, outcomes_.data());
  for (std::size_t l = 0; l < samples.size(); ++l) verdicts_[l] = {outcomes_[l], scores_[l]};
  return std::span(verdicts_).first(samples.size());
}

bool meets_condition(const Plan& plan, double score, double golden_score) {
  const Condition& condition = *plan.critical();
  return condition(condition.name == "delta" ? score - golden_score : score);
}

}  // namespace flipscope
