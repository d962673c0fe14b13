#include "flipscope/campaign/benchmark.h"

#include <tbb/global_control.h>
#include <tbb/parallel_for.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <set>

#include "flipscope/campaign/plan.h"
#include "flipscope/campaign/thread_count.h"
#include "flipscope/numeric/random.h"
#include "flipscope/numeric/same_bits.h"
#include "flipscope/ops/kernels.h"
#include "flipscope/ops/packed_kernels.h"

namespace flipscope {
namespace {

constexpr std::uint64_t kDrawStream = 0x62656e6368;
constexpr std::size_t kMostOutputs = std::size_t{1} << 25;  // numbers kept of each method

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// The sum over threads of what each measures at the same time.
double measure_together(int threads, const std::function<double()>& one) {
  std::vector<double> each(threads);
  tbb::parallel_for(
      0, threads, [&](int t) { each[t] = one(); }, tbb::static_partitioner());
  double sum = 0;
  for (double x : each) sum += x;
  return sum;
}

/// Bytes a thread reads in a second from an array that no cache holds.
double measure_reading() {
  const std::vector<std::uint64_t> numbers(std::size_t{32} << 20, 1);
  double best = 0;
  for (int attempt = 0; attempt < 3; ++attempt) {
    const double start = now();
    std::uint64_t sum = 0;
    for (std::uint64_t x : numbers) sum += x;
    const double took = now() - start;
    if (sum != numbers.size()) return 0;
    best = std::max(best, static_cast<double>(numbers.size() * sizeof(sum)) / took);
  }
  return best;
}

class Timing {
 public:
  Timing(const Plan& plan, const Program& program, const std::vector<Block>& blocks, double seconds)
      : plan_(plan), program_(program), blocks_(blocks), seconds_(seconds) {}

  LayerTiming operator()(const FaultSpace& space, const std::vector<Fault>& faults) const {
    const FaultTarget& target = space.targets().front();
    LayerTiming timing{
        .layer = target.layer, .part = to_string(target.part), .space = space.size()};
    const std::size_t most = std::min(faults.size() * blocks_.size(),
                                      std::max<std::size_t>(1, kMostOutputs / output_size()));
    std::vector<float> outputs[3];
    std::size_t done[3] = {0, 0, 0};
    for (Method method : {Method::difference, Method::suffix, Method::whole}) {
      const auto m = static_cast<std::size_t>(method);
      outputs[m].resize(most * output_size());
      done[m] = run(space, faults, method, outputs[m], timing);
    }
    for (std::size_t m = 1; m < 3; ++m) {
      timing.differing +=
          compare(outputs[0], outputs[m], std::min(done[0], done[m]), faults.size());
    }
    timing.compared = std::min(timing.pairs[0], std::max(timing.pairs[1], timing.pairs[2]));
    return timing;
  }

 private:
  std::size_t output_size() const {
    return static_cast<std::size_t>(plan_.values()) * kBlockSamples;
  }

  /// Faults × blocks until the time is over; gives the number of (fault, block) pairs done, which
  /// are the first ones.
  std::size_t run(const FaultSpace& space, const std::vector<Fault>& faults, Method method,
                  std::vector<float>& outputs, LayerTiming& timing) const {
    const auto m = static_cast<std::size_t>(method);
    const std::size_t all = outputs.size() / output_size();
    const std::size_t step = std::min<std::size_t>(all, 8);
    std::vector<FaultyRun> runs;
    const int threads = tbb::this_task_arena::max_concurrency();
    for (int t = 0; t < threads; ++t) runs.emplace_back(program_, space, method);
    std::size_t done = 0;
    double spent = 0;
    // Each thread's first run on a block makes copies that later ones use: not counted.
    for (FaultyRun& each : runs) each(blocks_[0], faults[0]);
    while (done < all && spent < seconds_) {
      const double start = now();
      const std::size_t end = std::min(all, done + step * threads);
      tbb::parallel_for(
          0, threads,
          [&](int t) {
            for (std::size_t p = done + t; p < end; p += threads) {
              store(runs[t], p, faults, outputs);
            }
          },
          tbb::static_partitioner());
      spent += now() - start;
      done = end;
    }
    for (std::size_t p = 0; p < done; ++p) {
      timing.pairs[m] += blocks_[p / faults.size()].samples;
    }
    if (timing.pairs[m] > 0) timing.seconds[m] = spent / static_cast<double>(timing.pairs[m]);
    return done;
  }

  void store(FaultyRun& run, std::size_t p, const std::vector<Fault>& faults,
             std::vector<float>& outputs) const {
    const Block& block = blocks_[p / faults.size()];
    const float* out = run(block, faults[p % faults.size()]);
    std::memcpy(outputs.data() + p * output_size(), out,
                static_cast<std::size_t>(plan_.values()) * block.lanes * sizeof(float));
  }

  /// Samples that differ among the first `done` (fault, block) pairs.
  std::uint64_t compare(const std::vector<float>& a, const std::vector<float>& b, std::size_t done,
                        std::size_t faults) const {
    std::uint64_t differing = 0;
    for (std::size_t p = 0; p < done; ++p) {
      const Block& block = blocks_[p / faults];
      for (int sample = 0; sample < block.samples; ++sample) {
        bool equal = true;
        for (int v = 0; v < plan_.values() && equal; ++v) {
          const std::size_t at =
              p * output_size() + static_cast<std::size_t>(v) * block.lanes + sample;
          equal = same_bits(a[at], b[at]);
        }
        differing += equal ? 0 : 1;
      }
    }
    return differing;
  }

  const Plan& plan_;
  const Program& program_;
  const std::vector<Block>& blocks_;
  double seconds_;
};

std::vector<Fault> draw(const FaultSpace& space, std::uint64_t count, std::uint64_t seed) {
  Random random(seed, kDrawStream);
  std::set<std::uint64_t> numbers;
  const std::uint64_t wanted = std::min(count, space.size());
  while (numbers.size() < wanted) numbers.insert(random.below(space.size()));
  std::vector<Fault> faults;
  for (std::uint64_t number : numbers) faults.push_back({FaultEffect::flip, {space.site(number)}});
  return faults;
}

MachineSpeed measure_machine(int threads) {
  MachineSpeed speed{.threads = threads, .instructions = instruction_set()};
  speed.float_operations = measure_together(threads, measure_peak_flops);
  speed.byte_operations = measure_together(threads, measure_packed_peak);
  speed.bandwidth = measure_together(threads, measure_reading);
  return speed;
}

}  // namespace

Benchmark run_benchmark(const CampaignOptions& options, std::uint64_t faults,
                        double seconds_per_layer,
                        const std::function<void(const std::string& what)>& progress) {
  const int threads = thread_count(options.threads);
  const tbb::global_control limit(tbb::global_control::max_allowed_parallelism,
                                  static_cast<std::size_t>(threads));
  const Plan plan(options);
  Benchmark result;
  progress("the machine");
  result.machine = measure_machine(threads);

  const Program program(plan.graph());
  progress("the golden run");
  std::vector<Block> blocks;
  const std::int64_t samples = plan.samples().count;
  blocks.resize((samples + kBlockSamples - 1) / kBlockSamples);
  const double start = now();
  tbb::parallel_for(std::size_t{0}, blocks.size(), [&](std::size_t b) {
    const auto first = static_cast<std::int64_t>(b) * kBlockSamples;
    blocks[b] =
        run_golden(program, plan.samples().values.data(), first,
                   static_cast<int>(std::min<std::int64_t>(kBlockSamples, samples - first)));
  });
  result.golden.samples = samples;
  result.golden.seconds = (now() - start) / static_cast<double>(samples);
  result.golden.bytes = block_bytes(program) * blocks.size();
  for (std::size_t n = 0; n < plan.graph().nodes.size(); ++n) {
    result.golden.multiply_adds += multiply_adds(plan.graph(), static_cast<int>(n));
  }

  const Timing timing(plan, program, blocks, seconds_per_layer);
  for (const FaultTarget& target : plan.space().targets()) {
    progress(target.tensor);
    const FaultSpace own(std::vector<FaultTarget>{target});
    result.layers.push_back(timing(own, draw(own, faults, options.seed)));
  }
  return result;
}

}  // namespace flipscope
