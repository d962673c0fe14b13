// The golden run: every value of a block of samples, computed once and shared by all faulty runs.
#pragma once

#include <cstdint>
#include <vector>

#include "flipscope/engine/program.h"
#include "flipscope/numeric/aligned.h"

namespace flipscope {

/// Scores are reduced in leaves of this many samples, in order; a block of samples is one leaf.
inline constexpr int kBlockSamples = 64;

/// One block of samples with every value of the graph, [value][element][lane]. Lanes beyond
/// `samples` repeat the last sample.
struct Block {
  std::uint64_t serial = 0;  ///< of its own among all blocks of the process
  std::int64_t first = 0;    ///< number of its first sample
  int samples = 0;
  int lanes = 0;  ///< samples rounded up to kLaneGroup
  std::vector<AlignedVector<float>> values;
  /// The same in words of codes (engine/packed.h), [value], where stages read or write them and
  /// every number is a code (a NaN is none).
  std::vector<AlignedVector<std::uint8_t>> packed;
};

/// Brings samples [first, first + samples) into lanes and runs the network on them. `inputs` is
/// [sample][element], C order of the graph's (only) input. With keep_all false only the graph's
/// outputs remain, and memory is reused on the way.
Block run_golden(const Program& program, const float* inputs, std::int64_t first, int samples,
                 bool keep_all = true);

/// Lanes of a block of so many samples.
int lanes_of(int samples);

/// The inputs of a node as forward() takes them; values[v] points to value v, [element][lane].
std::vector<View<float>> views_of(const Program& program, const Node& node,
                                  const std::vector<const float*>& values);

/// Brings [sample][element] into [element][lane]; lanes beyond `samples` repeat the last sample.
void fill_lanes(const float* inputs, std::int64_t elements, int samples, int lanes, float* out);

/// Bytes that a block with all its values takes.
std::size_t block_bytes(const Program& program, int lanes = kBlockSamples);

}  // namespace flipscope
