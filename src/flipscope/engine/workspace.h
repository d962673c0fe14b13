// What one thread needs to run faults on a block: patchable constants, and values that differ.
//
// Every value has at most one copy here, as numbers, and one packed in words where stages use it.
// Between runs a copy equals the golden value but for the elements that the last run changed, which
// are restored when the copy is next written to. A changed value is brought from one form into the
// other when it is asked for. So a run costs what changes, not what exists.
#pragma once

#include <cstdint>
#include <vector>

#include "flipscope/engine/golden.h"
#include "flipscope/engine/packed.h"
#include "flipscope/engine/picked_rows.h"
#include "flipscope/engine/ranges.h"

namespace flipscope {

/// True where runs may be on some lanes: nothing is kept as bytes, no golden sums are added to.
bool can_pick(const Program& program);

class Workspace {
 public:
  explicit Workspace(const Program& golden_program);

  /// Starts a run on a block: nothing differs yet.
  void begin(const Block& block);

  /// Starts a run on some lanes of a block, as PickedRows has them. Only for programs that
  /// can_pick().
  void begin(const Block& block, std::span<const std::int32_t> picked);

  /// Lanes of the run.
  int lanes() const { return picks_ ? picked_.lanes() : block_->lanes; }

  const Program& program() const { return program_; }
  const Block& block() const { return *block_; }
  const Graph& graph() const { return *program_.graph; }

  /// Value v as the run has it so far, [element][lane].
  const float* at(int v);
  /// The same, of which only changed rows and those that were asked for may be read.
  const float* rows(int v);
  void ask(int v, const Ranges& rows);

  /// The golden value; not where lanes are picked.
  const float* golden(int v) const { return block_->values[v].data(); }
  /// A golden row in the run's lanes, until the next call with the same `which` (0 or 1).
  const float* golden_row(int v, std::int64_t element, int which = 0);

  /// The elements of value v that differ from the golden run.
  const Ranges& changed(int v) const { return changed_[v]; }

  /// A copy of v as at(v) has it, to be written to; then say where with note_changes().
  float* writable(int v);

  /// A copy of v whose every element will be written.
  float* overwritable(int v);

  /// Compares the written elements with the golden ones, plane by plane, and keeps those that
  /// differ.
  void note_changes(int v, const Ranges& written);

  /// Takes every element as changed, without a look.
  void note_all_changed(int v);

  /// The same value packed in words; null where a code has no place there.
  const std::uint8_t* bytes(int v);
  const std::uint8_t* golden_bytes(int v) const {
    return block_->packed[v].empty() ? nullptr : block_->packed[v].data();
  }

  /// The packed copy of an unchanged v, golden, or with every byte to be written; then say what
  /// differs with note_changed_bytes(): whole channels, at these places of their planes.
  std::uint8_t* writable_bytes(int v);
  std::uint8_t* overwritable_bytes(int v);
  void note_changed_bytes(int v, Ranges changed, Positions positions = {});

  /// Outside these places of its planes a changed packed value is golden.
  const Positions& positions(int v) const { return positions_[v]; }

  /// The inputs of a node as the run has them.
  std::vector<View<float>> views(const Node& node);
  /// The same, of which only rows that rows() allows may be read.
  std::vector<View<float>> views_of_rows(const Node& node);

  /// Sets one element of a constant until end().
  void patch(int constant, std::int64_t element, double value);
  struct Patch {
    int constant = 0;
    std::int64_t element = 0;
    float narrow = 0;  ///< before
    double wide = 0;
  };
  const std::vector<Patch>& patches() const { return patches_; }

  /// Takes all patches back.
  void end();

  /// The golden sums of a node that sums codes in float32, before its rescale, [element][lane].
  const float* golden_sums(int node);

  /// The golden sums of a stage, [row][position][lane].
  const std::int32_t* stage_sums(std::size_t stage);

  /// Scratch of at least `size` numbers; two of them, `which` 0 or 1.
  float* scratch(int which, std::size_t size);

 private:
  Program program_;
  const Block* block_ = nullptr;
  std::uint64_t serial_ = 0;
  /// Elements that differ: whole channels at some places, or ranges of elements anywhere.
  struct Difference {
    Ranges changed;
    Positions positions;
  };

  /// One form of all values.
  template <typename T>
  struct Form {
    std::vector<AlignedVector<T>> copies;        ///< [value]
    std::vector<bool> copied;                    ///< [value] of this block
    std::vector<bool> current;                   ///< [value] holds the changes
    std::vector<std::vector<Difference>> stale;  ///< [value] left over from earlier runs

    explicit Form(std::size_t values)
        : copies(values), copied(values), current(values), stale(values) {}
    void forget();
  };

  std::vector<View<float>> views(const Node& node, const float* (Workspace::*data)(int));
  bool differs(int v, const Range& rows);
  void forget_changes();
  void unpack(int v);
  bool pack(int v);
  void restore_bytes(int v, const Difference& difference);

  bool picks_ = false;
  PickedRows picked_;
  Form<float> numbers_;
  Form<std::uint8_t> bytes_;
  std::vector<Ranges> changed_;                          ///< [value]
  std::vector<Positions> positions_;                     ///< [value]
  std::vector<AlignedVector<float>> sums_;               ///< [node]
  std::vector<bool> summed_;                             ///< [node] of this block
  std::vector<AlignedVector<std::int32_t>> stage_sums_;  ///< [stage]
  std::vector<bool> stage_summed_;                       ///< [stage] of this block
  std::vector<Patch> patches_;
  AlignedVector<float> scratch_[2];
};

}  // namespace flipscope
