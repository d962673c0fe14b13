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
#include <numeric>
#include <utility>

#include "flipscope/campaign/exec_score.h"
#include "flipscope/campaign/judge.h"
#include "flipscope/engine/faulty_run.h"

namespace flipscope {
namespace {

constexpr std::size_t kTaskPairs = 8;       // Faulty runs of one task: milliseconds, at most.
constexpr std::size_t kFewestNarrow = 256;  // Faults of one task that learn from each other.
constexpr std::size_t kNarrowTasks = 16;    // Of a chunk, at least, so that all cores have some.
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
    explicit Scratch(const State& s)
        : run(s.program, s.plan.space()), judge(s.plan, s.scorer, s.golden_scores) {
      if (s.bottleneck) memo.emplace(s.program, *s.bottleneck, run, judge);
    }

    FaultyRun run;
    Judge judge;
    std::optional<CodeMemo> memo;
    std::array<std::int64_t, kBlockSamples> samples{};
    std::vector<const Fault*> faults;
    std::vector<Leaf> leaves;
  };

  State(const Plan& p, std::size_t memory, int threads, const std::atomic<bool>& stop_flag,
        std::optional<Bottleneck> narrow)
      : plan(p),
        stop(stop_flag),
        program(p.graph()),
        bottleneck(std::move(narrow)),
        limit(tbb::global_control::max_allowed_parallelism, thread_count(threads)),
        arena(static_cast<int>(thread_count(threads))),
        scratch([this] { return std::make_unique<Scratch>(*this); }) {
    for (const FaultTarget& target : plan.space().targets()) {
      upstream.push_back(bottleneck && flipscope::is_upstream(plan.graph(), *bottleneck, target));
    }
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
    const auto samples = std::span(own.samples).first(static_cast<std::size_t>(block.samples));
    std::iota(samples.begin(), samples.end(), block.first);
    return leaf_of(own.judge(samples, before, after, block.lanes));
  }

  /// True where all that the fault does passes the bottleneck.
  bool is_upstream(const Fault& fault) const {
    return bottleneck && std::ranges::all_of(fault.sites, [&](const FaultSite& site) {
             return upstream[site.target];
           });
  }

  /// Rows at work.
  struct Chunk {
    std::vector<Fault> faults;
    std::vector<Leaf> leaves;                // [fault][block]
    std::vector<float> outputs;              // [fault][sample][value], which exec wants
    std::vector<std::size_t> whole, narrow;  // faults run to the output, and to the bottleneck

    void forget_narrow() {
      whole.insert(whole.end(), narrow.begin(), narrow.end()), narrow.clear();
    }
  };
  using Done = std::function<void(std::size_t pairs)>;

  /// Runs faults to the output on the blocks first … last − 1 of the group that starts at `begin`.
  /// Pairs are numbered block by block, so that neighbours share a block's golden values.
  void run_whole(Chunk& chunk, std::size_t begin, std::size_t first, std::size_t last,
                 const Done& done) {
    const std::size_t faults = chunk.whole.size();
    const std::size_t output_size = chunk.outputs.size() / chunk.faults.size();
    tbb::parallel_for(
        tbb::blocked_range<std::size_t>(first * faults, last * faults, kTaskPairs),
        [&](const tbb::blocked_range<std::size_t>& range) {
          if (stop) return;
          Scratch& own = *scratch.local();
          WorkCounts counts;
          for (std::size_t p = range.begin(); p < range.end(); ++p) {
            const std::size_t b = p / faults, f = chunk.whole[p % faults];
            const Block& block = golden[b - begin];
            chunk.leaves[f * blocks + b] =
                evaluate(own, b, block, chunk.faults[f],
                         output_size > 0 ? chunk.outputs.data() + f * output_size : nullptr);
            counts.whole += static_cast<std::uint64_t>(block.samples);
          }
          count(counts);
          done(range.size());
        },
        tbb::simple_partitioner());
  }

  /// The same by the codes at the bottleneck, and how these pairs were found out.
  WorkCounts run_narrow(Chunk& chunk, std::size_t begin, std::size_t first, std::size_t last,
                        const Done& done) {
    const std::size_t faults = chunk.narrow.size();
    const std::size_t parts = std::clamp(faults / kFewestNarrow, std::size_t{1},
                                         std::max(kNarrowTasks / blocks, std::size_t{1}));
    std::mutex mutex;
    WorkCounts all;
    tbb::parallel_for(first * parts, last * parts, [&](std::size_t task) {
      const std::size_t b = task / parts, part = task % parts;
      const std::size_t from = part * faults / parts, to = (part + 1) * faults / parts;
      if (stop || from == to) return;
      Scratch& own = *scratch.local();
      own.faults.clear();
      for (std::size_t k = from; k < to; ++k) {
        own.faults.push_back(&chunk.faults[chunk.narrow[k]]);
      }
      own.leaves.resize(own.faults.size());
      const WorkCounts counts = (*own.memo)(golden[b - begin], own.faults, own.leaves);
      for (std::size_t k = from; k < to; ++k) {
        chunk.leaves[chunk.narrow[k] * blocks + b] = own.leaves[k - from];
      }
      done(to - from);
      const std::lock_guard lock(mutex);
      all += counts;
    });
    count(all);
    return all;
  }

  /// Whether looking codes up saved enough: half of the tails, or where these are dear anything.
  bool repays(const WorkCounts& counts) const {
    return plan.score().kind == ScoreSpec::Kind::emd ||
           counts.tail <= counts.unchanged + counts.remembered;
  }

  void count(const WorkCounts& more) {
    const std::lock_guard lock(work_mutex);
    work += more;
  }

  const Plan& plan;
  const std::atomic<bool>& stop;
  Program program;
  std::optional<Bottleneck> bottleneck;
  std::vector<bool> upstream;  ///< [target] of the bottleneck
  WorkCounts work;
  std::mutex work_mutex;
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
  tbb::enumerable_thread_specific<std::unique_ptr<Scratch>> scratch;
};

Runner::Runner(const Plan& plan, std::size_t memory, int threads, const std::atomic<bool>& stop,
               std::optional<Bottleneck> bottleneck)
    : state_(std::make_unique<State>(plan, memory, threads, stop, std::move(bottleneck))) {}
Runner::~Runner() = default;

double Runner::golden_score() const {
  return state_->golden_total;
}

const WorkCounts& Runner::work() const {
  return state_->work;
}

std::optional<std::vector<FaultRow>> Runner::run(std::uint64_t first, std::uint64_t count,
                                                 const std::function<void(std::uint64_t)>& tick) {
  State& s = *state_;
  const std::atomic<bool>& stop = s.stop;
  if (stop) return {};
  const Plan& plan = s.plan;
  const std::size_t faults = count;
  const bool exec = s.exec_score.has_value();
  const auto output_size = static_cast<std::size_t>(plan.samples().count * plan.values());
  State::Chunk chunk;
  chunk.faults.resize(faults);
  chunk.leaves.resize(faults * s.blocks);
  if (exec) chunk.outputs.resize(faults * output_size);
  s.arena.execute([&] {
    tbb::parallel_for(std::size_t{0}, faults,
                      [&](std::size_t f) { chunk.faults[f] = plan.active_fault(first + f); });
  });
  for (std::size_t f = 0; f < faults; ++f) {
    (s.is_upstream(chunk.faults[f]) ? chunk.narrow : chunk.whole).push_back(f);
  }
  std::atomic<std::uint64_t> pairs{0};
  Ticker ticker(tick);
  const auto done = [&](std::size_t more) { ticker((pairs += more) / s.blocks); };
  for (std::size_t begin = 0; begin < s.blocks; begin += s.group) {
    const std::size_t end = std::min(begin + s.group, s.blocks);
    if (!s.keep) s.load_group(begin, end - begin);
    if (stop) return {};
    s.arena.execute([&] {
      // The chunk's first block tells whether remembering repays.
      const std::size_t second = begin == 0 && !chunk.narrow.empty() ? 1 : begin;
      if (second > begin) {
        s.run_whole(chunk, begin, begin, second, done);
        if (!s.repays(s.run_narrow(chunk, begin, begin, second, done))) chunk.forget_narrow();
      }
      s.run_whole(chunk, begin, second, end, done);
      s.run_narrow(chunk, begin, second, end, done);
    });
    if (stop) return {};
  }

  std::vector<FaultRow> rows(faults);
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
        row.outcomes += chunk.leaves[f * s.blocks + b].outcomes;
        sums[b] = chunk.leaves[f * s.blocks + b].score;
      }
      if (!exec) {
        row.score = s.scorer->reduce(sums);
        return;
      }
      const bool same = static_cast<std::int64_t>(row.outcomes.masked) == plan.samples().count;
      row.score = same ? s.golden_total
                       : (*s.exec_score)(chunk.outputs.data() + f * output_size, row.fault);
      if (plan.critical() && meets_condition(plan, row.score, s.golden_total)) {
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
  State::Scratch& own = *s.scratch.local();
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
