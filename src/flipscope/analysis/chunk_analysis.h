// The targets of a layer over some chunks of samples, on all threads.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "flipscope/analysis/vulnerability.h"

namespace flipscope {

class ChunkAnalysis {
 public:
  /// What is given must outlive it.
  ChunkAnalysis(const Program& program, const Samples& samples, const VulnerabilityOptions& options,
                const TargetsDone& done, const std::atomic<bool>& stop);
  ~ChunkAnalysis();

  /// Chunks of kSearchSamples samples that are best analysed at once.
  std::int64_t together() const;

  /// How many pairs of a target and a chunk there are in all.
  void expect(std::uint64_t pairs);

  /// Goes on to chunks [first, last).
  void begin(std::int64_t first, std::int64_t last);

  /// A layer on these chunks: [chunk − first]. Not whole where `stop` was seen.
  std::vector<LayerChunk> operator()(const LayerSample& layer);

  /// Takes these chunks of a layer as done.
  void skip(const LayerSample& layer);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace flipscope
