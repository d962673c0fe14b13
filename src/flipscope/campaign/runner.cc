// Runs chunks of a campaign on all cores.
#include "flipscope/campaign/runner.h"

#include <tbb/blocked_range.h>
#include <tbb/enumerable_thread_specific.h>
#include <tbb/global_control.h>
#include <tbb/parallel_for.h>
#include <tbb/task_arena.h>

#include <algorithm>
#include <array>
#include <mutex>
#include <numeric>
#include <utility>

#include "flipscope/campaign/decision_proof.h"
#include "flipscope/campaign/golden_run.h"
#include "flipscope/campaign/judge.h"
#include "flipscope/campaign/thread_count.h"
#include "flipscope/campaign/ticker.h"
#include "flipscope/engine/faulty_run.h"

namespace flipscope {
namespace {

constexpr std::size_t kTaskPairs = 8;       // Faulty runs of one task: milliseconds, at most.
constexpr std::size_t kFewestNarrow = 256;  // Faults of one task that learn from each other.
constexpr std::size_t kNarrowTasks = 16;    // Of a chunk, at least, so that all cores have some.

}  // namespace

struct Runner::State {
  struct Scratch {
    explicit Scratch(const State& s)
        : run(s.program, s.plan.space()), judge(s.plan, s.golden->scorer(), s.golden->scores()) {
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
        limit(tbb::global_control::max_allowed_parallelism,
              static_cast<std::size_t>(thread_count(threads))),
        arena(thread_count(threads)),
        scratch([this] { return std::make_unique<Scratch>(*this); }) {
    for (const FaultTarget& target : plan.space().targets()) {
      upstream.push_back(bottleneck && flipscope::is_upstream(plan.graph(), *bottleneck, target));
    }
    if (plan.decides_only()) proof.emplace(program, plan.space());
    arena.execute([&] { golden.emplace(plan, program, memory, stop); });
  }

  Leaf evaluate(Scratch& own, std::size_t b, const Fault& fault, float* outputs) const {
    const Block& block = golden->block(b);
    const float* const before = golden->output(block);
    const float* const after = fault.sites.empty() ? before : own.run(block, fault);
    if (outputs != nullptr) copy_samples(block, after, plan.values(), outputs);
    if (after == before) return golden->unchanged(b);
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
    std::vector<std::uint8_t> kept;          // [block][fault] whose decisions are proved to stay

    void forget_narrow() {
      whole.insert(whole.end(), narrow.begin(), narrow.end());
      narrow.clear();
    }
  };
  using Done = std::function<void(std::size_t pairs)>;

  /// Runs faults to the output on the blocks first … last − 1, which are in memory. Pairs are
  /// numbered block by block, so that neighbours share a block's golden values.
  void run_whole(Chunk& chunk, std::size_t first, std::size_t last, const Done& done) {
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
            const auto samples = static_cast<std::uint64_t>(golden->block(b).samples);
            if (!chunk.kept.empty() && chunk.kept[b * chunk.faults.size() + f] != 0) {
              chunk.leaves[f * golden->blocks() + b] = golden->unchanged(b);
              counts.proved += samples;
              continue;
            }
            chunk.leaves[f * golden->blocks() + b] =
                evaluate(own, b, chunk.faults[f],
                         output_size > 0 ? chunk.outputs.data() + f * output_size : nullptr);
            counts.whole += samples;
          }
          count(counts);
          done(range.size());
        },
        tbb::simple_partitioner());
  }

  /// Finds out what needs no run on the blocks first … last − 1, which are in memory.
  void prove(Chunk& chunk, std::size_t first, std::size_t last) {
    const std::size_t faults = chunk.faults.size();
    bounds.resize(golden->blocks());
    tbb::parallel_for(first, last, [&](std::size_t b) {
      if (stop) return;
      (*proof)(golden->block(b), bounds[b], std::span(chunk.kept).subspan(b * faults, faults));
      if (golden->group() < golden->blocks()) bounds[b].reset();
    });
  }

  /// The same by the codes at the bottleneck, and how these pairs were found out.
  WorkCounts run_narrow(Chunk& chunk, std::size_t first, std::size_t last, const Done& done) {
    const std::size_t faults = chunk.narrow.size(), blocks = golden->blocks();
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
      const WorkCounts counts = (*own.memo)(golden->block(b), own.faults, own.leaves);
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
  std::optional<GoldenRun> golden;
  std::optional<DecisionProof> proof;
  std::vector<std::optional<DecisionBound>> bounds;  // [block], of those that stay in memory
  tbb::enumerable_thread_specific<std::unique_ptr<Scratch>> scratch;
};

Runner::Runner(const Plan& plan, std::size_t memory, int threads, const std::atomic<bool>& stop,
               std::optional<Bottleneck> bottleneck)
    : state_(std::make_unique<State>(plan, memory, threads, stop, std::move(bottleneck))) {}
Runner::~Runner() = default;

double Runner::golden_score() const {
  return state_->golden->total_score();
}

const WorkCounts& Runner::work() const {
  return state_->work;
}

std::optional<std::vector<FaultRow>> Runner::run(std::span<const std::uint64_t> numbers,
                                                 const std::function<void(std::uint64_t)>& tick) {
  State& s = *state_;
  const std::atomic<bool>& stop = s.stop;
  if (stop) return {};
  const Plan& plan = s.plan;
  const std::size_t faults = numbers.size();
  GoldenRun& golden = *s.golden;
  const std::size_t blocks = golden.blocks();
  const bool exec = golden.exec_score().has_value();
  const auto output_size = static_cast<std::size_t>(plan.samples().count * plan.values());
  State::Chunk chunk;
  chunk.faults.resize(faults);
  chunk.leaves.resize(faults * blocks);
  if (exec) chunk.outputs.resize(faults * output_size);
  s.arena.execute([&] {
    tbb::parallel_for(std::size_t{0}, faults,
                      [&](std::size_t f) { chunk.faults[f] = plan.active_fault(numbers[f]); });
  });
  for (std::size_t f = 0; f < faults; ++f) {
    (s.is_upstream(chunk.faults[f]) ? chunk.narrow : chunk.whole).push_back(f);
  }
  if (s.proof) {
    s.proof->set_faults(chunk.faults);
    chunk.kept.resize(faults * blocks);
  }
  std::atomic<std::uint64_t> pairs{0};
  Ticker ticker(tick);
  const auto done = [&](std::size_t more) { ticker((pairs += more) / blocks); };
  for (std::size_t first_block = 0; first_block < blocks; first_block += golden.group()) {
    const std::size_t last = std::min(first_block + golden.group(), blocks);
    s.arena.execute([&] {
      golden.load(first_block, last);
      if (s.proof) s.prove(chunk, first_block, last);
      std::size_t next = first_block;
      if (next == 0 && !chunk.narrow.empty() && !stop) {
        // The chunk's first block tells whether remembering repays.
        s.run_whole(chunk, 0, ++next, done);
        if (!s.repays(s.run_narrow(chunk, 0, next, done))) chunk.forget_narrow();
      }
      s.run_whole(chunk, next, last, done);
      s.run_narrow(chunk, next, last, done);
    });
    if (stop) return {};
  }

  std::vector<FaultRow> rows(faults);
  s.arena.execute([&] {
    tbb::parallel_for(std::size_t{0}, faults, [&](std::size_t f) {
      if (stop) return;
      FaultRow& row = rows[f];
      row.fault = numbers[f];
      if (!plan.fault_model().is_trial()) {
        row.site = plan.selection().fault(row.fault).sites.front();
      }
      if (const auto change = plan.stored_change(row.fault)) {
        row.golden = change->golden;
        row.faulty = change->faulty;
      }
      std::vector<double> sums(blocks);
      for (std::size_t b = 0; b < blocks; ++b) {
        row.outcomes += chunk.leaves[f * blocks + b].outcomes;
        sums[b] = chunk.leaves[f * blocks + b].score;
      }
      if (plan.decides_only()) row.outcomes.forget_masked();
      if (!exec) {
        row.score = golden.scorer()->reduce(sums);
        return;
      }
      const bool same = static_cast<std::int64_t>(row.outcomes.masked) == plan.samples().count;
      row.score = same ? golden.total_score()
                       : (*golden.exec_score())(chunk.outputs.data() + f * output_size, row.fault);
      if (plan.critical() && meets_condition(plan, row.score, golden.total_score())) {
        row.outcomes.critical += std::exchange(row.outcomes.non_critical, 0);
      }
    });
  });
  if (stop) return {};
  return rows;
}

std::optional<std::vector<FaultRow>> Runner::run(std::uint64_t first, std::uint64_t count,
                                                 const std::function<void(std::uint64_t)>& tick) {
  std::vector<std::uint64_t> rows(count);
  std::iota(rows.begin(), rows.end(), first);
  return run(rows, tick);
}

void Runner::for_each_block(std::uint64_t row,
                            const std::function<void(const Block&, const float* outputs)>& visit) {
  State& s = *state_;
  const Fault fault = s.plan.active_fault(row);
  State::Scratch& own = *s.scratch.local();
  GoldenRun& golden = *s.golden;
  for (std::size_t first = 0; first < golden.blocks(); first += golden.group()) {
    const std::size_t last = std::min(first + golden.group(), golden.blocks());
    s.arena.execute([&] { golden.load(first, last); });
    if (s.stop) return;
    for (std::size_t b = first; b < last; ++b) {
      const Block& block = golden.block(b);
      visit(block, fault.sites.empty() ? golden.output(block) : own.run(block, fault));
    }
  }
}

}  // namespace flipscope
