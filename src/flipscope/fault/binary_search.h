// Binary search for the critical bits of each word (BinFI: Chen et al., SC'19).
//
// The further a flip moves a word, the more it should harm; so of bits in descending order of
// significance those down to some boundary are critical. Flips that raise the word and flips that
// lower it are monotone each on their own: `separate` searches for a boundary among each; `joint`
// for one boundary in the whole word. (Bits that are 0 raise it and bits that are 1 lower it, but
// for the sign, which BinFI itself leaves out.)
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "flipscope/fault/fault_space.h"
#include "flipscope/fault/selection.h"
#include "flipscope/model/graph.h"

namespace flipscope {

/// Where a search among `count` bits, the most significant first, stands: those before `front` are
/// critical, those from `rear` on are not; over when they meet, else the middle one of those
/// between is asked next, the first of two.
struct SearchState {
  std::int64_t front = 0;
  std::int64_t rear = 0;

  bool is_over() const { return front == rear; }
  std::int64_t question() const { return (front + rear - 1) / 2; }
};

/// Goes on until it is over, or `is_critical` has no answer.
SearchState binary_search(std::int64_t count,
                          const std::function<std::optional<bool>(std::int64_t)>& is_critical);

/// Whether a flip lowers a number; where it leaves none, it goes away from 0.
bool lowers(double golden, double faulty);
bool flip_lowers(const StoredTensor& stored, std::int64_t index, int bit);

/// The lists that a word is searched in: positions in `bits` (as FaultTarget::bits), the most
/// significant first. `lowers(position)` is asked by separate searches alone.
std::vector<std::vector<int>> search_lists(std::size_t bits, SearchKind kind,
                                           const std::function<bool(int)>& lowers);

/// The flips that searches make: row word·(width of the widest word) + position, words being
/// counted over all targets; so where all words are equally wide, a row is the fault's number in
/// the space. Chunks are whole words, and do not depend on each other. Both must outlive it. Throws
/// Error where `separate` is to search what has no stored words.
std::unique_ptr<Selection> search_faults(const Graph& graph, const FaultSpace& space,
                                         SearchKind kind);

}  // namespace flipscope
