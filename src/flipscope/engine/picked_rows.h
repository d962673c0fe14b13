// Values of some lanes of a block, brought over row by row as they are read.
//
// Where only some lanes are of interest, or some more than once, a run has lanes of its own: lane l
// is lane picked[l] of the block. Copying all values for it would cost more than many a run, so a
// row (an element in every lane) is copied when it is first asked for.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "flipscope/engine/golden.h"
#include "flipscope/engine/ranges.h"

namespace flipscope {

class PickedRows {
 public:
  explicit PickedRows(std::size_t values) : of_(values) {}

  /// Forgets all rows. `picked`: lanes of the block, which may repeat; their number is a multiple
  /// of kLaneGroup.
  void begin(const Block& block, std::span<const std::int32_t> picked);

  int lanes() const { return static_cast<int>(picked_.size()); }

  /// Value v, [element][lane]; rows that are neither held nor written are anything.
  float* data(int v) { return of_[v].rows.data(); }

  /// Prepares value v of `elements` elements for data().
  void open(int v, std::int64_t elements);

  /// Copies golden rows to where no row is held.
  void hold(int v, const Range& range);

  /// Rows that were written are held.
  void note(int v, const Range& range);

  /// A golden row in the run's lanes, until the next call with the same `which` (0 or 1).
  const float* golden_row(int v, std::int64_t element, int which);

 private:
  struct Value {
    AlignedVector<float> rows;
    std::vector<std::uint8_t> held;  ///< [element]
    std::int64_t holds = 0;          ///< how many
    bool open = false;
  };
  void pick(int v, std::int64_t element, float* out) const;

  const Block* block_ = nullptr;
  std::vector<std::int32_t> picked_;
  std::vector<Value> of_;
  std::vector<int> opened_;
  AlignedVector<float> golden_[2];
};

}  // namespace flipscope
