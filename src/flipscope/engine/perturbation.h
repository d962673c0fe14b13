// What a network does when elements of one of its values are other than golden.
//
// A perturbation begins inside the network: everything upstream of the value is golden, everything
// downstream goes by difference, as in a faulty run. Each lane has a perturbation of its own, so
// one run tries many candidate changes of an element or a channel at once.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "flipscope/engine/golden.h"
#include "flipscope/engine/ranges.h"

namespace flipscope {

/// What one lane of a run adds: `delta` to these elements of a value in one lane of the golden
/// block.
struct Addition {
  const Ranges* elements = nullptr;
  float delta = 0;
  std::int32_t lane = 0;
};

/// The scratch memory of one thread. `program` must outlive it.
class PerturbedRun {
 public:
  explicit PerturbedRun(const Program& program);
  ~PerturbedRun();
  PerturbedRun(PerturbedRun&&) noexcept;

  /// The network's output [element][lane] when delta[lane] is added to these elements of a value
  /// (in float32; in whole codes where the value holds codes; a lane with 0 stays golden). The
  /// pointer is the golden output itself where nothing reached it, and is valid until the next
  /// call.
  const float* add(const Block& golden, int value, const Ranges& elements,
                   std::span<const float> delta);

  /// The same with an addition of its own in each lane: the output [element][lane of the run],
  /// lanes as many as additions, rounded up to kLaneGroup. Only for programs that can_pick().
  const float* add(const Block& golden, int value, std::span<const Addition> additions);

  /// What of these additions reaches the next weighted layers, [addition]: places and bits where
  /// values differ from golden ones. Those of which nothing does have golden outputs, and those of
  /// one lane that leave the same there have the same outputs.
  const std::vector<std::vector<std::uint64_t>>& reach(const Block& golden, int value,
                                                       std::span<const Addition> additions);

  /// The same when these elements become `numbers`, [element of the set][lane].
  const float* replace(const Block& golden, int value, const Ranges& elements,
                       const float* numbers);

  /// The same as far as value `end`, which is returned, in lanes of its own: lane l is picked[l] of
  /// the block. `picked` has a multiple of kLaneGroup entries. Only for programs that can_pick().
  const float* replace_to(int end, const Block& golden, std::span<const std::int32_t> picked,
                          int value, const Ranges& elements, const float* numbers);

  /// Of the last add() or reach(), [lane]: 1 where the output is linear in the perturbation from
  /// golden to here (see line_check.h): whatever lies between lies between in the output too, up to
  /// rounding.
  const std::vector<std::uint8_t>& on_line() const;

  /// What is linear then: the output, or the input of a softmax at the end, [element][lane].
  int line_value() const;
  const float* line_output();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace flipscope
