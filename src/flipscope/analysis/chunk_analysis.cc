#include "flipscope/analysis/chunk_analysis.h"

#include <oneapi/tbb/enumerable_thread_specific.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/task_arena.h>

#include <algorithm>
#include <mutex>
#include <numeric>
#include <optional>

#include "flipscope/analysis/search_pool.h"
#include "flipscope/engine/workspace.h"

namespace flipscope {
namespace {

/// Chunks that share one golden run, where their searches go together, and the memory that it may
/// take.
constexpr std::int64_t kChunksTogether = 4;
constexpr std::size_t kGoldenBytes = std::size_t{2} << 30;

/// Targets ordered so that neighbours lie close to each other in their planes: places by the bits
/// of their row and column in turn.
std::vector<std::size_t> by_place(const Graph& graph, const LayerSample& layer) {
  const Shape& shape = graph.values[layer.layer.value].shape;
  const std::int64_t columns = shape.back();
  const std::int64_t rows = shape.size() > 3 ? shape[shape.size() - 2] : 1;
  const auto key = [&](std::size_t t) {
    const std::int64_t element = std::max<std::int64_t>(layer.targets[t].element, 0);
    const std::int64_t column = element % columns, row = element / columns % rows;
    std::uint64_t bits = 0;
    for (int b = 0; b < 16; ++b) {
      bits |= static_cast<std::uint64_t>(column >> b & 1) << (2 * b);
      bits |= static_cast<std::uint64_t>(row >> b & 1) << (2 * b + 1);
    }
    return bits;
  };
  std::vector<std::size_t> order(layer.targets.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, {}, key);
  return order;
}

}  // namespace

struct ChunkAnalysis::State {
  State(const Program& of, const Samples& of_samples, const VulnerabilityOptions& with,
        const TargetsDone& tell, const std::atomic<bool>& until)
      : program(of),
        samples(of_samples),
        options(with),
        done(tell),
        stop(until),
        pools(can_pick(of)),
        runs([this] { return PerturbedRun(program); }) {
    if (!pools) return;
    const std::size_t bytes = block_bytes(program, kSearchSamples);
    together = std::clamp<std::int64_t>(kGoldenBytes / bytes, 1, kChunksTogether);
  }

  int samples_of(std::int64_t chunk) const {
    const std::int64_t from = chunk * kSearchSamples;
    return static_cast<int>(std::min<std::int64_t>(kSearchSamples, samples.count - from));
  }

  Ranges elements_of(const LayerSample& layer, const FaultTargetPlace& place) const {
    if (place.element >= 0) return {{place.element, place.element + 1}};
    return channel_elements(*program.graph, layer.layer, place.channel);
  }

  const Block& golden() {
    if (!block) {
      const std::int64_t from = first * kSearchSamples;
      const auto count = static_cast<int>(
          std::min<std::int64_t>((last - first) * kSearchSamples, samples.count - from));
      block = pools ? run_golden(program, samples.values.data(), from, count)
                    : search_block(program, samples.values.data(), from, count);
    }
    return *block;
  }

  void tell(std::size_t pairs) {
    const std::lock_guard lock(reporting);
    finished += pairs;
    done(finished, total);
  }

  /// Error maps of a target on all samples of the chunks.
  std::vector<ErrorMap> maps_of(const LayerSample& layer, const FaultTargetPlace& place,
                                const Block& on) const {
    TargetMaps maps(program, layer.layer, place, options.maps);
    std::vector<ErrorMap> all;
    for (std::int64_t c = first; c < last; ++c) {
      for (int s = 0; s < samples_of(c); ++s) all.push_back(maps(on, static_cast<int>(all.size())));
    }
    return all;
  }

  /// Brings what was found of one target into the results of its chunks.
  void keep(std::vector<LayerChunk>& results, std::size_t target, const std::vector<ErrorMap>& maps,
            const std::vector<ValueRange>& ranges) const {
    std::size_t at = 0;
    for (std::int64_t c = first; c < last; ++c) {
      TargetResult& result = results[c - first].targets[target];
      for (int s = 0; s < samples_of(c); ++s, ++at) {
        result.map += maps[at];
        result.factors += ranges[at].factor(maps[at]);
        result.ranges.push_back(ranges[at]);
      }
    }
  }

  /// One target after the other on each thread.
  void alone(const LayerSample& layer, std::vector<LayerChunk>& results) {
    const Graph& graph = *program.graph;
    const Block& on = golden();
    std::vector<SearchWork> works(layer.targets.size());
    tbb::parallel_for(std::size_t{0}, layer.targets.size(), [&](std::size_t t) {
      if (stop) return;
      const FaultTargetPlace& place = layer.targets[t];
      const std::vector<ErrorMap> maps = maps_of(layer, place, on);
      std::vector<ValueRange> ranges(maps.size());
      works[t] = find_ranges(runs.local(), graph, on, layer.layer.value, elements_of(layer, place),
                             options.search, maps, ranges);
      keep(results, t, maps, ranges);
      tell(1);
    });
    for (const SearchWork& work : works) results[0].work += work;
  }

  /// All targets share the lanes of each thread's runs.
  void pooled(const LayerSample& layer, std::vector<LayerChunk>& results) {
    const Graph& graph = *program.graph;
    const Block& on = golden();
    const std::vector<std::size_t> order = by_place(graph, layer);
    std::atomic<std::size_t> taken{0};
    const NextTarget next = [&]() -> std::unique_ptr<SearchTarget> {
      const std::size_t k = taken++;
      if (k >= order.size()) return nullptr;
      const FaultTargetPlace& place = layer.targets[order[k]];
      auto target = std::make_unique<SearchTarget>();
      target->number = order[k];
      target->elements = elements_of(layer, place);
      target->maps = maps_of(layer, place, on);
      return target;
    };
    std::mutex working;
    const TargetFound found = [&](const SearchTarget& target) {
      keep(results, target.number, target.maps, target.ranges);
      const std::lock_guard lock(working);
      for (std::size_t c = 0; c < results.size(); ++c) results[c].work += target.works[c];
      tell(results.size());
    };
    tbb::parallel_for(0, tbb::this_task_arena::max_concurrency(), [&](int) {
      find_together(runs.local(), graph, on, layer.layer.value, options.search, next, found, stop);
    });
  }

  const Program& program;
  const Samples& samples;
  const VulnerabilityOptions& options;
  const TargetsDone& done;
  const std::atomic<bool>& stop;
  bool pools;  ///< searches go together
  std::int64_t together = 1;
  std::int64_t first = 0, last = 0;  ///< chunks
  std::optional<Block> block;        ///< of them
  tbb::enumerable_thread_specific<PerturbedRun> runs;
  std::mutex reporting;
  std::uint64_t finished = 0, total = 0;
};

ChunkAnalysis::ChunkAnalysis(const Program& program, const Samples& samples,
                             const VulnerabilityOptions& options, const TargetsDone& done,
                             const std::atomic<bool>& stop)
    : state_(std::make_unique<State>(program, samples, options, done, stop)) {}
ChunkAnalysis::~ChunkAnalysis() = default;

std::int64_t ChunkAnalysis::together() const {
  return state_->together;
}

void ChunkAnalysis::expect(std::uint64_t pairs) {
  state_->total = pairs;
}

void ChunkAnalysis::begin(std::int64_t first, std::int64_t last) {
  state_->first = first;
  state_->last = last;
  state_->block.reset();
}

std::vector<LayerChunk> ChunkAnalysis::operator()(const LayerSample& layer) {
  std::vector<LayerChunk> results(state_->last - state_->first);
  for (LayerChunk& result : results) result.targets.resize(layer.targets.size());
  if (state_->pools) {
    state_->pooled(layer, results);
  } else {
    state_->alone(layer, results);
  }
  return results;
}

void ChunkAnalysis::skip(const LayerSample& layer) {
  state_->finished += layer.targets.size() * (state_->last - state_->first);
}

}  // namespace flipscope
