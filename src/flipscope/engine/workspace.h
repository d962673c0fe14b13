// What one thread needs to run faults on a block: patchable constants, and values that differ.
//
// Every value has at most one copy here. Between runs a copy equals the golden value but for the
// elements that the last run changed, which are restored when the copy is next written to. So a run
// costs what changes, not what exists.
#pragma once

#include <cstdint>
#include <vector>

#include "flipscope/engine/golden.h"
#include "flipscope/engine/ranges.h"

namespace flipscope {

class Workspace {
 public:
  explicit Workspace(const Program& golden_program);

  /// Starts a run on a block: nothing differs yet.
  void begin(const Block& block);

  const Program& program() const { return program_; }
  const Block& block() const { return *block_; }
  const Graph& graph() const { return *program_.graph; }

  /// Value v as the run has it so far, [element][lane].
  const float* at(int v) const {
    return changed_[v].empty() ? block_->values[v].data() : copies_[v].data();
  }
  const float* golden(int v) const { return block_->values[v].data(); }

  /// The elements of value v that differ from the golden run.
  const Ranges& changed(int v) const { return changed_[v]; }

  /// A copy of v as at(v) has it, to be written to; then say where with note_changes().
  float* writable(int v);

  /// A copy of v whose every element will be written.
  float* overwritable(int v);

  /// Compares the written elements with the golden ones, plane by plane, and keeps those that
  /// differ.
  void note_changes(int v, const Ranges& written);

  /// The inputs of a node as the run has them.
  std::vector<View<float>> views(const Node& node) const;

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

  /// Scratch of at least `size` numbers; two of them, `which` 0 or 1.
  float* scratch(int which, std::size_t size);

 private:
  Program program_;
  const Block* block_ = nullptr;
  std::uint64_t serial_ = 0;
  std::vector<AlignedVector<float>> copies_;  ///< [value]
  std::vector<bool> copied_;                  ///< [value] of this block
  std::vector<Ranges> changed_;               ///< [value]
  std::vector<Ranges> stale_;                 ///< [value] left over from earlier runs
  std::vector<AlignedVector<float>> sums_;    ///< [node]
  std::vector<bool> summed_;                  ///< [node] of this block
  std::vector<Patch> patches_;
  AlignedVector<float> scratch_[2];
};

}  // namespace flipscope
