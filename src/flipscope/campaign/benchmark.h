// What a campaign will cost: the difference against the suffix and the whole network, layer by
// layer, measured side by side on the same faults and samples.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "flipscope/campaign/campaign.h"
#include "flipscope/engine/faulty_run.h"

namespace flipscope {

/// Limits of the machine, measured with the threads that the benchmark uses.
struct MachineSpeed {
  int threads = 0;
  std::string instructions;     ///< instruction set of the float32 kernels
  double float_operations = 0;  ///< float32 multiplications and additions, 1/s, all threads
  double byte_operations = 0;   ///< the same of bytes with 32-bit sums; 0 without such kernels
  double bandwidth = 0;         ///< bytes read from memory, 1/s, all threads
};

struct LayerTiming {
  std::string layer;
  std::string part;
  std::uint64_t space = 0;             ///< faults that the layer has
  std::uint64_t pairs[3] = {0, 0, 0};  ///< (fault, sample) pairs run, by Method
  double seconds[3] = {0, 0, 0};       ///< per pair, wall time of all threads, by Method
  std::uint64_t compared = 0;          ///< pairs that the difference and another method ran
  std::uint64_t differing = 0;  ///< pairs whose output differs between methods: 0, or a defect
};

struct GoldenTiming {
  std::int64_t samples = 0;
  double seconds = 0;        ///< per sample, wall time of all threads
  double multiply_adds = 0;  ///< of one sample, in weighted layers
  std::size_t bytes = 0;     ///< that all golden values take
};

struct Benchmark {
  MachineSpeed machine;
  GoldenTiming golden;
  std::vector<LayerTiming> layers;
};

/// Runs random faults of every layer's tensors by all three methods, each for about
/// `seconds_per_layer` or until `faults` are done, whichever comes first. Pairs that two methods
/// ran are compared bit by bit. Throws Error as a campaign does.
Benchmark run_benchmark(const CampaignOptions& options, std::uint64_t faults,
                        double seconds_per_layer,
                        const std::function<void(const std::string& what)>& progress);

}  // namespace flipscope
