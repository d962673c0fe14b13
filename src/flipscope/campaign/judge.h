// Scores and outcomes of samples, as a plan asks for them.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "flipscope/campaign/plan.h"
#include "flipscope/engine/golden.h"
#include "flipscope/score/outcome.h"
#include "flipscope/score/score.h"

namespace flipscope {

/// What a fault does to one block.
struct Leaf {
  OutcomeCounts outcomes;
  double score = 0;  ///< sum over the block's samples, in order
};

struct Verdict {
  Outcome outcome = Outcome::masked;
  double score = 0;
};

/// The leaf of a block whose samples have these verdicts.
Leaf leaf_of(std::span<const Verdict> verdicts);

/// Owns scratch memory: one for each thread.
class Judge {
 public:
  /// `scorer` has observed the golden run; with none all scores are 0. golden_scores: [sample].
  /// Both, and the plan, must outlive it.
  Judge(const Plan& plan, const std::optional<Scorer>& scorer,
        const std::vector<double>& golden_scores);

  /// Of sample samples[l], whose outputs [value][lane] are in lane l. Valid until the next call.
  std::span<const Verdict> operator()(std::span<const std::int64_t> samples, const float* golden,
                                      const float* faulty, int lanes);

 private:
  const Plan* plan_;
  std::optional<Scorer> scorer_;
  const std::vector<double>* golden_scores_;
  std::array<double, kBlockSamples> scores_{};
  std::array<std::uint8_t, kBlockSamples> critical_{};
  std::array<Outcome, kBlockSamples> outcomes_{};
  std::array<Verdict, kBlockSamples> verdicts_{};
};

/// Whether a score meets --critical, which the plan must have.
bool meets_condition(const Plan& plan, double score, double golden_score);

}  // namespace flipscope
