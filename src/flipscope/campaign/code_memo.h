// Judges each set of codes at a bottleneck once per sample, however many faults bring it about.
//
// On one block, all faults are run to the bottleneck only. A sample whose codes are the golden ones
// there has its golden outcome. Others are looked up by their codes; those not yet met are
// collected, run from the bottleneck on side by side (lanes do not depend on each other, so that
// they may hold different samples), and judged with codes that are close to each other in turn.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "flipscope/campaign/judge.h"
#include "flipscope/campaign/work_counts.h"
#include "flipscope/engine/bottleneck.h"
#include "flipscope/engine/faulty_run.h"

namespace flipscope {

/// The scratch memory of one thread.
class CodeMemo {
 public:
  /// All must outlive it.
  CodeMemo(const Program& program, const Bottleneck& bottleneck, FaultyRun& run, Judge& judge);

  /// leaves[f] of faults[f] on this block: the bits that a run to the output would give. Every
  /// fault must be upstream of the bottleneck.
  WorkCounts operator()(const Block& block, std::span<const Fault* const> faults,
                        std::span<Leaf> leaves);

 private:
  /// Codes that a sample was seen to have.
  struct Entry {
    int lane = 0;             ///< the sample's in the block
    std::uint64_t place = 0;  ///< where it stands among the others
    Verdict verdict;
  };
  struct Slot {
    std::uint64_t hash = 0;
    std::int32_t entry = -1;
  };

  void set_block(const Block& block);
  void forget();
  WorkCounts judge_faults(std::span<Leaf> leaves);
  void note(const float* codes, std::int32_t* entry_of_lane);
  std::int32_t find_or_add(int lane, std::uint64_t hash, const float* codes);
  bool has_codes(std::int32_t entry, int lane, const float* codes) const;
  void add_entry(int lane, const float* codes);
  void grow();
  void judge_entries();
  void judge_packed(std::span<const std::int32_t> entries);

  FaultyRun* run_;
  Judge* judge_;
  Tail tail_;
  int value_;
  int output_;
  std::int64_t width_;              ///< codes of one sample
  std::int64_t outputs_;            ///< numbers that the network puts out
  std::vector<std::uint64_t> odd_;  ///< [element] multipliers of the hash
  const Block* block_ = nullptr;
  std::vector<Entry> entries_;
  std::vector<float> codes_;                 ///< [entry][element]
  std::vector<Slot> slots_;                  ///< a power of two of them, at most half taken
  std::vector<std::int32_t> entry_of_pair_;  ///< [fault][lane], −1 where codes are golden
  std::vector<std::uint64_t> hash_;          ///< [lane]
  std::vector<std::uint32_t> differ_;        ///< [lane] 0 where codes are golden
  std::vector<std::int32_t> order_;
  std::vector<Verdict> golden_;  ///< [lane]
  std::vector<Verdict> verdicts_;
  std::vector<std::int64_t> samples_;
  AlignedVector<float> packed_codes_, packed_golden_;
};

}  // namespace flipscope
