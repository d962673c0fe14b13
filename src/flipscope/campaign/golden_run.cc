// The golden run of a campaign.
#include "flipscope/campaign/golden_run.h"

#include <tbb/parallel_for.h>
#include <unistd.h>

#include <algorithm>

namespace flipscope {
namespace {

std::size_t half_of_memory() {
  const auto pages = static_cast<std::size_t>(std::max(sysconf(_SC_PHYS_PAGES), 1L));
  const auto page = static_cast<std::size_t>(std::max(sysconf(_SC_PAGESIZE), 1L));
  return pages * page / 2;
}

}  // namespace

GoldenRun::GoldenRun(const Plan& plan, const Program& program, std::size_t memory,
                     const std::atomic<bool>& stop)
    : plan_(&plan), program_(&program), stop_(&stop) {
  const auto samples = static_cast<std::size_t>(plan.samples().count);
  unchanged_.resize((samples + kBlockSamples - 1) / kBlockSamples);
  scores_.resize(blocks() * kBlockSamples);
  const std::size_t most =
      (memory == 0 ? half_of_memory() : memory) / std::max(block_bytes(program), std::size_t{1});
  group_ = std::clamp<std::size_t>(most, 1, blocks());

  const bool exec = plan.score().kind == ScoreSpec::Kind::exec;
  if (exec) {
    exec_score_.emplace(plan.score().program, plan.samples(), plan.values(), plan.score_function());
  } else {
    scorer_.emplace(plan.score(), plan.samples(), plan.values(), plan.scorer_options());
  }
  std::vector<float> outputs(exec ? samples * static_cast<std::size_t>(plan.values()) : 0);
  for (std::size_t first = 0; first < blocks(); first += group_) {
    const std::size_t last = std::min(first + group_, blocks());
    load(first, last);
    if (stop) return;
    for (std::size_t b = first; b < last; ++b) observe(b, outputs.data());
  }
  if (exec) {
    total_score_ = (*exec_score_)(outputs.data(), 0);
    return;
  }
  std::vector<double> sums;
  for (const Leaf& leaf : unchanged_) sums.push_back(leaf.score);
  total_score_ = scorer_->reduce(sums);
}

void GoldenRun::load(std::size_t first, std::size_t last) {
  if (first == first_ && last - first == in_memory_.size()) return;
  first_ = first;
  in_memory_.resize(last - first);
  tbb::parallel_for(first, last, [&](std::size_t b) {
    if (!*stop_) in_memory_[b - first] = make(b);
  });
}

Block GoldenRun::make(std::size_t b) const {
  const Samples& samples = plan_->samples();
  const auto first = static_cast<std::int64_t>(b) * kBlockSamples;
  const auto count = static_cast<int>(std::min<std::int64_t>(kBlockSamples, samples.count - first));
  return run_golden(*program_, samples.values.data(), first, count);
}

void GoldenRun::observe(std::size_t b, float* outputs) {
  const Block& golden = block(b);
  const float* const out = output(golden);
  if (scorer_) {
    double* const scores = scores_.data() + b * kBlockSamples;
    scorer_->observe_golden(golden.first, golden.samples, out, golden.lanes);
    scorer_->per_sample(golden.first, golden.samples, out, out, golden.lanes, scores);
    unchanged_[b].score = leaf_sum(std::span(scores, static_cast<std::size_t>(golden.samples)));
  } else {
    copy_samples(golden, out, plan_->values(), outputs);
  }
  unchanged_[b].outcomes = classify_block(out, out, plan_->values(), golden.samples, golden.lanes,
                                          plan_->outcome_rules());
}

void copy_samples(const Block& block, const float* out, int values, float* outputs) {
  for (int l = 0; l < block.samples; ++l) {
    float* const row = outputs + (block.first + l) * values;
    for (int v = 0; v < values; ++v) row[v] = out[std::ptrdiff_t{v} * block.lanes + l];
  }
}

}  // namespace flipscope
