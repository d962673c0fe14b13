// The golden run of a campaign: blocks of samples as they are without faults, with their scores.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <vector>

#include "flipscope/campaign/exec_score.h"
#include "flipscope/campaign/judge.h"
#include "flipscope/campaign/plan.h"
#include "flipscope/engine/golden.h"

namespace flipscope {

/// Runs in parallel where its caller's thread lets it.
class GoldenRun {
 public:
  /// Makes the whole run. Blocks stay in memory where all of them fit `memory` bytes (0: half of
  /// the machine's). All must outlive it.
  GoldenRun(const Plan& plan, const Program& program, std::size_t memory,
            const std::atomic<bool>& stop);

  std::size_t blocks() const { return unchanged_.size(); }

  /// The most blocks that may be in memory at once.
  std::size_t group() const { return group_; }

  /// Brings the blocks first … last − 1, at most a group, into memory, in the place of others.
  void load(std::size_t first, std::size_t last);

  /// One that is in memory.
  const Block& block(std::size_t b) const { return in_memory_[b - first_]; }

  /// [value][lane]
  const float* output(const Block& block) const {
    return block.values[plan_->graph().outputs[0]].data();
  }

  /// What a fault that does nothing does to block b.
  const Leaf& unchanged(std::size_t b) const { return unchanged_[b]; }

  /// [sample]
  const std::vector<double>& scores() const { return scores_; }
  double total_score() const { return total_score_; }

  /// Has observed every block; each thread needs a copy. None for exec.
  const std::optional<Scorer>& scorer() const { return scorer_; }
  const std::optional<ExecScore>& exec_score() const { return exec_score_; }

 private:
  Block make(std::size_t b) const;
  void observe(std::size_t b, float* outputs);

  const Plan* plan_;
  const Program* program_;
  const std::atomic<bool>* stop_;
  std::size_t group_ = 1;
  std::size_t first_ = 0;  ///< block in memory
  std::vector<Block> in_memory_;
  std::optional<Scorer> scorer_;
  std::optional<ExecScore> exec_score_;
  std::vector<Leaf> unchanged_;  ///< [block]
  std::vector<double> scores_;
  double total_score_ = 0;
};

/// [value][lane] of one block to [sample][value] of all.
void copy_samples(const Block& block, const float* out, int values, float* outputs);

}  // namespace flipscope
