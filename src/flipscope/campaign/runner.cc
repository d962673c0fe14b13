// Runs chunks of a campaign on all cores.
#include "flipscope/campaign/runner.h"

#include <tbb/blocked_range.h>
#include <tbb/enumerable_thread_specific.h>
#include <tbb/global_control.h>
#include <tbb/info.h>
#include <tbb/parallel_for.h>
#include <tbb/task_arena.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <chrono>
#include <mutex>
#include <utility>

#include "flipscope/campaign/exec_score.h"
#include "flipscope/engine/faulty_run.h"

namespace flipscope {
namespace {

/// What a fault does to one block.
struct Leaf {
  OutcomeCounts outcomes;
  double score = 0;  ///< sum over the block's samples
};

constexpr std::size_t kTaskPairs = 8;  // Faulty runs of one task: milliseconds, at most.
constexpr double kTickSeconds = 0.2;

std::size_t half_of_memory() {
  const auto pages = static_cast<std::size_t>(std::max(sysconf(_SC_PHYS_PAGES), 1L));
  const auto page = static_cast<std::size_t>(std::max(sysconf(_SC_PAGESIZE), 1L));
  return pages * page / 2;
}

std::size_t thread_count(int asked) {
  return static_cast<std::size_t>(asked > 0 ? asked : tbb::info::default_concurrency());
}

/// Hands a count on, now and then and one call at a time.
class Ticker {
 public:
  explicit Ticker(const std::function<void(std::uint64_t)>& tick) : tick_(tick) {}

  void operator()(std::uint64_t done) {
    const std::unique_lock lock(mutex_, std::try_to_lock);
    if (!lock || !tick_) return;
    const auto now = std::chrono::steady_clock::now();
    if (std::chrono::duration<double>(now - last_).count() < kTickSeconds || done < highest_)
      return;
    last_ = now;
    highest_ = done;
    tick_(done);
  }

 private:
  const std::function<void(std::uint64_t)>& tick_;
  std::mutex mutex_;
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
  std::uint64_t highest_ = 0;
};

}  // namespace

struct Runner::State {
  struct Scratch {
    FaultyRun run;
    std::optional<Scorer> scorer;
    std::array<double, kBlockSamples> scores;
    std::array<std::uint8_t, kBlockSamples> critical;
  };

  State(const Plan& p, std::size_t memory, int threads, const std::atomic<bool>& stop_flag)
      : plan(p),
        stop(stop_flag),
        program(p.graph()),
        limit(tbb::global_control::max_allowed_parallelism, thread_count(threads)),
        arena(static_cast<int>(thread_count(threads))),
        scratch([this] {
          return Scratch{FaultyRun(program, plan.space()),
                         scorer ? std::optional<Scorer>(*scorer) : std::nullopt,
                         {},
                         {}};
        }) {
    const auto samples = static_cast<std::size_t>(plan.samples().count);
    blocks = (samples + kBlockSamples - 1) / kBlockSamples;
    const std::size_t most =
        (memory == 0 ? half_of_memory() : memory) / std::max(block_bytes(program), 1ul);
    group = std::clamp<std::size_t>(most, 1, blocks);
    keep = group == blocks;
    run_all_golden();
  }

  Block golden_block(std::size_t b, bool keep_all) const {
    const auto first = static_cast<std::int64_t>(b) * kBlockSamples;
    const int samples =
        static_cast<int>(std::min<std::int64_t>(kBlockSamples, plan.samples().count - first));
    return run_golden(program, plan.samples().values.data(), first, samples, keep_all);
  }

  const float* golden_output(const Block& block) const {
    return block.values[plan.graph().outputs[0]].data();
  }

  /// The blocks begin … begin + count − 1, all of their values, in golden[0 …].
  void load_group(std::size_t begin, std::size_t count) {
    golden.resize(count);
    arena.execute([&] {
      tbb::parallel_for(std::size_t{0}, count, [&](std::size_t i) {
        if (!stop) golden[i] = golden_block(begin + i, true);
      });
    });
  }

  void run_all_golden() {
    const bool exec = plan.score().kind == ScoreSpec::Kind::exec;
    if (exec) {
      exec_score.emplace(plan.score().program, plan.samples(), plan.values());
    } else {
      scorer.emplace(plan.score(), plan.samples(), plan.values(), plan.scorer_options());
    }
    unchanged.resize(blocks);
    golden_scores.resize(blocks * kBlockSamples);
    std::vector<float> outputs(exec ? static_cast<std::size_t>(plan.samples().count * plan.values())
                                    : 0);
    for (std::size_t begin = 0; begin < blocks; begin += group) {
      const std::size_t count = std::min(group, blocks - begin);
      load_group(begin, count);
      if (stop) return;
      for (std::size_t i = 0; i < count; ++i) observe(begin + i, golden[i], outputs.data());
    }
    if (exec) {
      golden_total = (*exec_score)(outputs.data(), 0);
      return;
    }
    std::vector<double> sums;
    for (const Leaf& leaf : unchanged) sums.push_back(leaf.score);
    golden_total = scorer->reduce(sums);
  }

  void observe(std::size_t b, const Block& block, float* outputs) {
    const float* const out = golden_output(block);
    if (scorer) {
      double* const scores = golden_scores.data() + b * kBlockSamples;
      scorer->observe_golden(block.first, block.samples, out, block.lanes);
      scorer->per_sample(block.first, block.samples, out, out, block.lanes, scores);
      unchanged[b].score = leaf_sum(std::span(scores, static_cast<std::size_t>(block.samples)));
    } else {
      copy_samples(block, out, outputs);
    }
    unchanged[b].outcomes =
        classify_block(out, out, plan.values(), block.samples, block.lanes, plan.has_decision());
  }

  /// [value][lane] of one block to [sample][value] of all.
  void copy_samples(const Block& block, const float* out, float* outputs) const {
    for (int l = 0; l < block.samples; ++l) {
      float* const row = outputs + (block.first + l) * plan.values();
      for (int v = 0; v < plan.values(); ++v) row[v] = out[std::ptrdiff_t{v} * block.lanes + l];
    }
  }

  Leaf evaluate(Scratch& own, std::size_t b, const Block& block, const Fault& fault,
                float* outputs) const {
    const float* const before = golden_output(block);
    const float* const after = fault.sites.empty() ? before : own.run(block, fault);
    if (outputs != nullptr) copy_samples(block, after, outputs);
    if (after == before) return unchanged[b];
    Leaf leaf;
    const std::uint8_t* meets = nullptr;
    if (own.scorer) {
      own.scorer->per_sample(block.first, block.samples, before, after, block.lanes,
                             own.scores.data());
      leaf.score = leaf_sum(std::span(own.scores).first(static_cast<std::size_t>(block.samples)));
      if (plan.critical()) {
        const double* const golden_score = golden_scores.data() + b * kBlockSamples;
        for (int l = 0; l < block.samples; ++l) {
          own.critical[l] = meets_condition(own.scores[l], golden_score[l]) ? 1 : 0;
        }
        meets = own.critical.data();
      }
    }
    leaf.outcomes = classify_block(before, after, plan.values(), block.samples, block.lanes,
                                   plan.has_decision(), meets);
    return leaf;
  }

  bool meets_condition(double score, double golden_score) const {
    const Condition& condition = *plan.critical();
    return condition(condition.name == "delta" ? score - golden_score : score);
  }

  const Plan& plan;
  const std::atomic<bool>& stop;
  Program program;
  tbb::global_control limit;
  tbb::task_arena arena;
  std::size_t blocks = 0;
  std::size_t group = 1;  ///< blocks that are in memory at once
  bool keep = false;      ///< all of them are
  std::vector<Block> golden;
  std::optional<Scorer> scorer;  ///< has observed every block; threads copy it
  std::optional<ExecScore> exec_score;
  std::vector<Leaf> unchanged;        ///< [block] of a fault that does nothing
  std::vector<double> golden_scores;  ///< [block][sample]
  double golden_total = 0;
  tbb::enumerable_thread_specific<Scratch> scratch;
};

Runner::Runner(const Plan& plan, std::size_t memory, int threads, const std::atomic<bool>& stop)
    : state_(std::make_unique<State>(plan, memory, threads, stop)) {}
Runner::~Runner() = default;

double Runner::golden_score() const {
  return state_->golden_total;
}

std::optional<std::vector<FaultRow>> Runner::run(std::uint64_t first, std::uint64_t count,
                                                 const std::function<void(std::uint64_t)>& tick) {
  State& s = *state_;
  const std::atomic<bool>& stop = s.stop;
  if (stop) return {};
  const Plan& plan = s.plan;
  const std::size_t faults = count;
  std::vector<Fault> active(faults);
  std::vector<FaultRow> rows(faults);
  s.arena.execute([&] {
    tbb::parallel_for(std::size_t{0}, faults,
                      [&](std::size_t f) { active[f] = plan.active_fault(first + f); });
  });

  const bool exec = s.exec_score.has_value();
  const auto output_size = static_cast<std::size_t>(plan.samples().count * plan.values());
  std::vector<float> outputs(exec ? faults * output_size : 0);
  std::vector<Leaf> leaves(faults * s.blocks);  // [fault][block]
  std::atomic<std::uint64_t> pairs{0};
  Ticker ticker(tick);
  for (std::size_t begin = 0; begin < s.blocks; begin += s.group) {
    const std::size_t in_group = std::min(s.group, s.blocks - begin);
    if (!s.keep) s.load_group(begin, in_group);
    if (stop) return {};
    s.arena.execute([&] {
      // Pairs are numbered block by block, so that neighbours share a block's golden values.
      tbb::parallel_for(
          tbb::blocked_range<std::size_t>(0, in_group * faults, kTaskPairs),
          [&](const tbb::blocked_range<std::size_t>& range) {
            if (stop) return;
            State::Scratch& own = s.scratch.local();
            for (std::size_t p = range.begin(); p < range.end(); ++p) {
              const std::size_t i = p / faults, f = p % faults;
              leaves[f * s.blocks + begin + i] =
                  s.evaluate(own, begin + i, s.golden[i], active[f],
                             exec ? outputs.data() + f * output_size : nullptr);
            }
            ticker((pairs += range.size()) / s.blocks);
          },
          tbb::simple_partitioner());
    });
    if (stop) return {};
  }

  s.arena.execute([&] {
    tbb::parallel_for(std::size_t{0}, faults, [&](std::size_t f) {
      if (stop) return;
      FaultRow& row = rows[f];
      row.fault = first + f;
      if (!plan.fault_model().is_trial()) {
        row.site = plan.selection().fault(row.fault).sites.front();
      }
      if (const auto change = plan.stored_change(row.fault)) {
        row.golden = change->golden;
        row.faulty = change->faulty;
      }
      std::vector<double> sums(s.blocks);
      for (std::size_t b = 0; b < s.blocks; ++b) {
        row.outcomes += leaves[f * s.blocks + b].outcomes;
        sums[b] = leaves[f * s.blocks + b].score;
      }
      if (!exec) {
        row.score = s.scorer->reduce(sums);
        return;
      }
      const bool same = static_cast<std::int64_t>(row.outcomes.masked) == plan.samples().count;
      row.score =
          same ? s.golden_total : (*s.exec_score)(outputs.data() + f * output_size, row.fault);
      if (plan.critical() && s.meets_condition(row.score, s.golden_total)) {
        row.outcomes.critical += std::exchange(row.outcomes.non_critical, 0);
      }
    });
  });
  if (stop) return {};
  return rows;
}

void Runner::for_each_block(std::uint64_t row,
                            const std::function<void(const Block&, const float* outputs)>& visit) {
  State& s = *state_;
  const Fault fault = s.plan.active_fault(row);
  State::Scratch& own = s.scratch.local();
  for (std::size_t begin = 0; begin < s.blocks; begin += s.group) {
    const std::size_t in_group = std::min(s.group, s.blocks - begin);
    if (!s.keep) s.load_group(begin, in_group);
    if (s.stop) return;
    for (std::size_t i = 0; i < in_group; ++i) {
      visit(s.golden[i],
            fault.sites.empty() ? s.golden_output(s.golden[i]) : own.run(s.golden[i], fault));
    }
  }
}

}  // namespace flipscope
