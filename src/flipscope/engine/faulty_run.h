// A faulty run: the golden run plus a difference.
//
// Everything upstream of the fault is golden. At the struck layer only the channels that read a
// struck word are recomputed; downstream, nodes whose inputs are unchanged keep their golden
// values.
#pragma once

#include <memory>

#include "flipscope/engine/golden.h"
#include "flipscope/engine/ranges.h"
#include "flipscope/fault/fault.h"
#include "flipscope/fault/fault_space.h"

namespace flipscope {

/// How much of the network a run computes: what differs; all from the first struck node on; or all.
/// The result is the same: the latter two are there to check the first and to measure it by.
enum class Method { difference, suffix, whole };

const char* to_string(Method method);

/// The scratch memory of one thread. `program` and `space` must outlive it.
class FaultyRun {
 public:
  FaultyRun(const Program& program, const FaultSpace& space, Method method = Method::difference);
  ~FaultyRun();
  FaultyRun(FaultyRun&&) noexcept;

  /// The network's output [element][lane] under the fault, for every lane of the block. The pointer
  /// is the golden output itself where nothing reached it, and is valid until the next call.
  const float* operator()(const Block& golden, const Fault& fault);

  /// The same of any value; nodes behind it are not run.
  const float* run_to(int value, const Block& golden, const Fault& fault);

  /// Elements outside these are golden in `value`, which the last run went to. Valid until the next
  /// call.
  const Ranges& changed(int value) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace flipscope
