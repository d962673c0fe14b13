// Runs chunks of a campaign: faults × blocks of samples, on all cores.
//
// A block is one leaf of the score. What a fault does to a block depends on nothing else, and
// leaves are reduced in order, so rows have the same bits for any number of threads.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "flipscope/campaign/code_memo.h"
#include "flipscope/campaign/plan.h"
#include "flipscope/campaign/store.h"
#include "flipscope/engine/golden.h"

namespace flipscope {

class Runner {
 public:
  /// Makes the golden run. Blocks are kept where all of them fit `memory` bytes (0: half of the
  /// machine's); else they are made again for every chunk. `threads` 0: all cores. Once `stop` is
  /// set, it does nothing more and its results mean nothing. Faults upstream of the bottleneck are
  /// judged by their codes there, with the same results. Plan and flag must outlive it.
  Runner(const Plan& plan, std::size_t memory, int threads, const std::atomic<bool>& stop,
         std::optional<Bottleneck> bottleneck = {});
  ~Runner();
  Runner(const Runner&) = delete;
  Runner& operator=(const Runner&) = delete;

  double golden_score() const;

  /// Of all rows that were run.
  const WorkCounts& work() const;

  /// These rows; nothing where `stop` was seen. `tick` hears, now and then and one call at a time,
  /// how many of them are done, pro rata.
  std::optional<std::vector<FaultRow>> run(std::span<const std::uint64_t> rows,
                                           const std::function<void(std::uint64_t)>& tick);

  /// Rows first … first + count − 1.
  std::optional<std::vector<FaultRow>> run(std::uint64_t first, std::uint64_t count,
                                           const std::function<void(std::uint64_t)>& tick);

  /// Outputs [value][lane] of every block under a row's fault are handed to `visit`, block by
  /// block.
  void for_each_block(std::uint64_t row,
                      const std::function<void(const Block&, const float* outputs)>& visit);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace flipscope
