// Judges each set of codes at a bottleneck once per sample.
#include "flipscope/campaign/code_memo.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <numeric>
#include <utility>

namespace flipscope {
namespace {

constexpr std::size_t kFewestSlots = 1024;
constexpr std::size_t kMostEntries = 1 << 18;       // Then what was found is judged and forgotten.
constexpr std::uint64_t kOdd = 0x9e3779b97f4a7c15;  // 2^64 over the golden ratio: spreads bits.

std::uint64_t spread(std::uint64_t x) {
  x = (x ^ (x >> 32)) * kOdd;
  return x ^ (x >> 29);
}

std::uint32_t bits_of(float x) {
  return std::bit_cast<std::uint32_t>(x);
}

/// Floats in ascending order as integers in ascending order.
std::uint32_t sortable(float x) {
  const std::uint32_t bits = bits_of(x);
  return bits >> 31 ? ~bits : bits | 0x80000000u;
}

}  // namespace

CodeMemo::CodeMemo(const Program& program, const Bottleneck& bottleneck, FaultyRun& run,
                   Judge& judge)
    : run_(&run),
      judge_(&judge),
      tail_(program, bottleneck),
      value_(bottleneck.value),
      output_(program.graph->outputs[0]),
      width_(element_count(program.graph->values[value_].shape)),
      outputs_(element_count(program.graph->values[output_].shape)) {
  std::uint64_t state = kOdd;
  for (std::int64_t e = 0; e < width_; ++e) odd_.push_back(spread(state += kOdd) | 1);
}

WorkCounts CodeMemo::operator()(const Block& block, std::span<const Fault* const> faults,
                                std::span<Leaf> leaves) {
  set_block(block);
  const std::size_t lanes = golden_.size();
  WorkCounts work;
  for (std::size_t first = 0; first < faults.size();) {
    forget();
    std::size_t next = first;
    while (next < faults.size() && entries_.size() < kMostEntries) {
      entry_of_pair_.resize(entry_of_pair_.size() + lanes, -1);
      note(run_->run_to(value_, block, *faults[next]),
           entry_of_pair_.data() + (next - first) * lanes);
      ++next;
    }
    judge_entries();
    work += judge_faults(leaves.subspan(first, next - first));
    first = next;
  }
  return work;
}

void CodeMemo::set_block(const Block& block) {
  block_ = &block;
  hash_.resize(static_cast<std::size_t>(block.lanes));
  differ_.resize(hash_.size());
  samples_.resize(static_cast<std::size_t>(block.samples));
  std::iota(samples_.begin(), samples_.end(), block.first);
  const float* const out = block.values[output_].data();
  const std::span<const Verdict> golden = (*judge_)(samples_, out, out, block.lanes);
  golden_.assign(golden.begin(), golden.end());
}

void CodeMemo::forget() {
  entries_.clear();
  codes_.clear();
  entry_of_pair_.clear();
  slots_.assign(kFewestSlots, {});
}

/// The leaves of the faults noted, whose entries are judged.
WorkCounts CodeMemo::judge_faults(std::span<Leaf> leaves) {
  const std::size_t lanes = golden_.size();
  verdicts_.resize(lanes);
  std::uint64_t changed = 0;
  for (std::size_t f = 0; f < leaves.size(); ++f) {
    for (std::size_t l = 0; l < lanes; ++l) {
      const std::int32_t entry = entry_of_pair_[f * lanes + l];
      verdicts_[l] = entry < 0 ? golden_[l] : entries_[entry].verdict;
      if (entry >= 0) ++changed;
    }
    leaves[f] = leaf_of(verdicts_);
  }
  return {.unchanged = leaves.size() * lanes - changed,
          .remembered = changed - entries_.size(),
          .tail = entries_.size()};
}

/// Finds the entries of one fault's codes [element][lane]. A sample's hash is Σ (bits − golden
/// bits)·odd, which elements that did not change leave as it is.
void CodeMemo::note(const float* codes, std::int32_t* entry_of_lane) {
  const float* const golden = block_->values[value_].data();
  if (codes == golden) return;
  const auto lanes = static_cast<std::size_t>(block_->lanes);
  std::ranges::fill(hash_, 0);
  std::ranges::fill(differ_, 0);
  for (std::int64_t e = 0; e < width_; ++e) {
    const float* const now = codes + e * block_->lanes;
    const float* const before = golden + e * block_->lanes;
    if (std::memcmp(now, before, lanes * sizeof(float)) == 0) continue;
    for (std::size_t l = 0; l < lanes; ++l) {
      const std::uint32_t difference = bits_of(now[l]) - bits_of(before[l]);
      differ_[l] |= difference;
      hash_[l] += difference * odd_[e];
    }
  }
  for (int l = 0; l < block_->samples; ++l) {
    if (differ_[l] != 0) entry_of_lane[l] = find_or_add(l, hash_[l], codes);
  }
}

std::int32_t CodeMemo::find_or_add(int lane, std::uint64_t hash, const float* codes) {
  hash = spread(hash + static_cast<std::uint64_t>(lane));
  const std::size_t mask = slots_.size() - 1;
  std::size_t at = hash & mask;
  for (; slots_[at].entry >= 0; at = (at + 1) & mask) {
    if (slots_[at].hash == hash && has_codes(slots_[at].entry, lane, codes)) {
      return slots_[at].entry;
    }
  }
  const auto entry = static_cast<std::int32_t>(entries_.size());
  slots_[at] = {hash, entry};
  add_entry(lane, codes);
  if (2 * entries_.size() > slots_.size()) grow();
  return entry;
}

bool CodeMemo::has_codes(std::int32_t entry, int lane, const float* codes) const {
  if (entries_[entry].lane != lane) return false;
  const float* const known = codes_.data() + entry * width_;
  for (std::int64_t e = 0; e < width_; ++e) {
    if (bits_of(known[e]) != bits_of(codes[e * block_->lanes + lane])) return false;
  }
  return true;
}

/// Neighbours in the order of entries are of one sample, and differ in one element's code by
/// little.
void CodeMemo::add_entry(int lane, const float* codes) {
  const float* const golden = block_->values[value_].data();
  std::uint64_t place = 0;
  for (std::int64_t e = 0; e < width_; ++e) {
    const std::int64_t at = e * block_->lanes + lane;
    codes_.push_back(codes[at]);
    if (place != 0 || bits_of(codes[at]) == bits_of(golden[at])) continue;
    place = static_cast<std::uint64_t>(e + 1) << 32 | sortable(codes[at]);
  }
  entries_.push_back({.lane = lane, .place = static_cast<std::uint64_t>(lane) << 56 | place});
}

void CodeMemo::grow() {
  const std::vector<Slot> old = std::exchange(slots_, std::vector<Slot>(2 * slots_.size()));
  const std::size_t mask = slots_.size() - 1;
  for (const Slot& slot : old) {
    if (slot.entry < 0) continue;
    std::size_t at = slot.hash & mask;
    while (slots_[at].entry >= 0) at = (at + 1) & mask;
    slots_[at] = slot;
  }
}

void CodeMemo::judge_entries() {
  order_.resize(entries_.size());
  std::iota(order_.begin(), order_.end(), 0);
  std::ranges::sort(order_, {}, [&](std::int32_t entry) { return entries_[entry].place; });
  for (std::size_t first = 0; first < order_.size(); first += kBlockSamples) {
    const std::size_t count = std::min<std::size_t>(kBlockSamples, order_.size() - first);
    judge_packed(std::span(order_).subspan(first, count));
  }
}

/// Lanes beyond the entries repeat the last one.
void CodeMemo::judge_packed(std::span<const std::int32_t> entries) {
  const int lanes = lanes_of(static_cast<int>(entries.size()));
  packed_codes_.resize(width_ * lanes);
  packed_golden_.resize(outputs_ * lanes);
  samples_.resize(entries.size());
  const float* const golden = block_->values[output_].data();
  for (int l = 0; l < lanes; ++l) {
    const std::int32_t entry = entries[std::min<std::size_t>(l, entries.size() - 1)];
    const int from = entries_[entry].lane;
    if (static_cast<std::size_t>(l) < entries.size()) samples_[l] = block_->first + from;
    const float* const codes = codes_.data() + entry * width_;
    for (std::int64_t e = 0; e < width_; ++e) packed_codes_[e * lanes + l] = codes[e];
    for (std::int64_t v = 0; v < outputs_; ++v) {
      packed_golden_[v * lanes + l] = golden[v * block_->lanes + from];
    }
  }
  const float* const out = tail_(packed_codes_.data(), lanes);
  const std::span<const Verdict> verdicts = (*judge_)(samples_, packed_golden_.data(), out, lanes);
  for (std::size_t l = 0; l < entries.size(); ++l) entries_[entries[l]].verdict = verdicts[l];
}

}  // namespace flipscope
