// What a fault changes at the outputs of its slice, on one block of samples.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "flipscope/analysis/slice.h"
#include "flipscope/engine/faulty_run.h"

namespace flipscope {

/// d = faulty − golden output of a slice, as real numbers, where any sample's is not 0.
struct SliceChange {
  std::vector<std::int32_t> elements;  ///< ascending; a slice's outputs are laid end to end
  AlignedVector<float> d;              ///< [k][lane], of elements[k]

  void clear() {
    elements.clear();
    d.clear();
  }
};

/// Real numbers that one unit of each element of a slice's outputs stands for, [element]: the scale
/// of codes, else 1.
std::vector<float> units_of(const Graph& graph, const Slice& slice);

/// Runs faults to the ends of their slices. The scratch memory of one thread; all must outlive it.
class SliceRun {
 public:
  SliceRun(const Program& program, const FaultSpace& space, const Slicing& slicing,
           const std::vector<std::vector<float>>& units);

  /// Valid until the next call. `slice` is the fault's.
  const SliceChange& operator()(std::size_t slice, const Block& golden, const Fault& fault);

 private:
  const Program* program_;
  const Slicing* slicing_;
  const std::vector<std::vector<float>>* units_;  ///< [slice][element]
  FaultyRun run_;
  SliceChange change_;
};

/// The same without any inference, for flipped words that one weighted layer reads as its weights,
/// and slices that end at sums: d = Δw·x, x being the data that the weight meets. What rounding
/// makes of the sums is left out.
class WeightUpdate {
 public:
  WeightUpdate(const Program& program, const FaultSpace& space, const Slicing& slicing);

  const SliceChange& operator()(std::size_t slice, const Block& golden, const Fault& fault);

 private:
  /// Where a stored word meets data: out[output] += factor·Δ·x[data].
  struct Touch {
    std::int32_t output = 0, data = 0;
    double factor = 1;
  };
  /// What one stored tensor does, [word].
  struct Touches {
    std::vector<std::int64_t> element;  ///< of the weights, one that reads the word
    std::vector<std::vector<Touch>> of;
  };

  const Touches& touches_of(int stored, const Slice& slice);

  const Program* program_;
  const FaultSpace* space_;
  const Slicing* slicing_;
  std::map<int, Touches> touches_;  ///< by stored tensor
  SliceChange change_;
};

}  // namespace flipscope
