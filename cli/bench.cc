// flipscope bench: what a campaign will cost here, and by how much the difference beats full runs.
#include <algorithm>

#include "flipscope/campaign/benchmark.h"
#include "flipscope/numeric/error.h"
#include "json.h"
#include "terminal.h"
#include "verbs.h"

namespace flipscope::cli {

namespace {

std::string in_microseconds(double seconds) {
  return seconds > 0 ? fmt::format("{:.3g}", seconds * 1e6) : "";
}

std::string ratio(double slow, double fast) {
  return slow > 0 && fast > 0 ? fmt::format("{:.3g}", slow / fast) : "";
}

/// Pairs and wall time of an exhaustive campaign, from the layers' times.
struct Total {
  double faults = 0;
  double seconds[3] = {0, 0, 0};  ///< per sample of all faults, by Method
};

Total total_of(const Benchmark& benchmark) {
  Total total;
  for (const LayerTiming& layer : benchmark.layers) {
    total.faults += static_cast<double>(layer.space);
    for (int m = 0; m < 3; ++m) {
      total.seconds[m] += static_cast<double>(layer.space) * layer.seconds[m];
    }
  }
  return total;
}

std::string text_of(const Benchmark& benchmark, std::uint64_t seed) {
  const MachineSpeed& machine = benchmark.machine;
  const GoldenTiming& golden = benchmark.golden;
  const auto samples = static_cast<double>(golden.samples);
  const double share = 2 * golden.multiply_adds / golden.seconds / machine.float_operations;
  const std::string of_peak = machine.float_operations > 0
                                  ? fmt::format(" ({:.0f}% of the float32 peak)", 100 * share)
                                  : "";
  std::string page = fmt::format(
      "Machine, {} threads: float32 {:.4g} GFLOP/s ({}), bytes {:.4g} Gop/s, memory {:.3g} GB/s\n"
      "Golden run: {} us a sample, {:.4g} M multiply-adds{}, all values {:.3g} GB\n\n",
      machine.threads, machine.float_operations * 1e-9, machine.instructions,
      machine.byte_operations * 1e-9, machine.bandwidth * 1e-9, in_microseconds(golden.seconds),
      golden.multiply_adds * 1e-6, of_peak, static_cast<double>(golden.bytes) * 1e-9);
  Table table({"layer", "part", "faults", "pairs run", "difference us", "suffix us", "whole us",
               "whole/difference", "differing"},
              "llrrrrrrr");
  std::uint64_t compared = 0, differing = 0;
  for (const LayerTiming& layer : benchmark.layers) {
    table.row({layer.layer, layer.part, grouped(layer.space), grouped(layer.pairs[0]),
               in_microseconds(layer.seconds[0]), in_microseconds(layer.seconds[1]),
               in_microseconds(layer.seconds[2]), ratio(layer.seconds[2], layer.seconds[0]),
               grouped(layer.differing)});
    compared += layer.compared;
    differing += layer.differing;
  }
  page += table.text();
  const Total total = total_of(benchmark);
  page += fmt::format(
      "\nTimes are of one (fault, sample) pair, wall time with all threads.\n"
      "All {} faults on {} samples: {} (by suffixes {}, by whole runs {}), {} us a pair.\n"
      "Outputs compared bit by bit with those of suffix or whole runs: {} pairs, {} differ.\n"
      "Seed {}.\n",
      grouped(static_cast<std::uint64_t>(total.faults)),
      grouped(static_cast<std::uint64_t>(golden.samples)), duration(total.seconds[0] * samples),
      duration(total.seconds[1] * samples), duration(total.seconds[2] * samples),
      in_microseconds(total.seconds[0] / total.faults), grouped(compared), grouped(differing),
      seed);
  return page;
}

std::string json_of(const Benchmark& benchmark, std::uint64_t seed) {
  Json::Array layers;
  for (const LayerTiming& layer : benchmark.layers) {
    Json::Object seconds, pairs;
    for (Method method : {Method::difference, Method::suffix, Method::whole}) {
      const auto m = static_cast<std::size_t>(method);
      seconds.emplace_back(to_string(method), layer.seconds[m]);
      pairs.emplace_back(to_string(method), layer.pairs[m]);
    }
    layers.push_back(Json::Object{{"layer", layer.layer},
                                  {"part", layer.part},
                                  {"faults", layer.space},
                                  {"pairs", std::move(pairs)},
                                  {"seconds_per_pair", std::move(seconds)},
                                  {"compared", layer.compared},
                                  {"differing", layer.differing}});
  }
  const MachineSpeed& machine = benchmark.machine;
  const GoldenTiming& golden = benchmark.golden;
  return text(Json::Object{{"threads", machine.threads},
                           {"instructions", machine.instructions},
                           {"float32_operations_per_second", machine.float_operations},
                           {"byte_operations_per_second", machine.byte_operations},
                           {"bytes_per_second", machine.bandwidth},
                           {"golden_seconds_per_sample", golden.seconds},
                           {"golden_multiply_adds", golden.multiply_adds},
                           {"golden_bytes", golden.bytes},
                           {"layers", std::move(layers)},
                           {"seed", seed}});
}

}  // namespace

void describe_bench(Command& command, Options& options) {
  command.heading("Arguments");
  describe_model(command, options);
  describe_samples(command, options);
  describe_fault_space(command, options);
  command.option("faults-per-layer", "N", options.faults_per_layer,
                 "Random flips of each tensor (default: 1000).");
  command.option("seconds", "S", options.seconds,
                 "At most about so long for each tensor and method (default: 2).");
  describe_common(command, options);
  command.example(
      "bench examples/classifier.onnx --inputs examples/classifier_inputs.npy --scale 1/256");
}

int bench(const Options& options) {
  if (options.campaign.samples.inputs.empty()) fail("usage", "bench needs --inputs FILE");
  if (options.faults_per_layer == 0 || options.seconds <= 0) {
    fail("usage", "bench needs --faults-per-layer and --seconds above 0");
  }
  const Benchmark benchmark = run_benchmark(options.campaign, options.faults_per_layer,
                                            options.seconds, [&](const std::string& what) {
                                              if (!options.quiet)
                                                fmt::print(stderr, "measuring {}\n", what);
                                            });
  const std::uint64_t seed = options.campaign.seed;
  if (options.json) {
    print(json_of(benchmark, seed));
  } else if (!options.quiet) {
    print(text_of(benchmark, seed));
  }
  return std::all_of(benchmark.layers.begin(), benchmark.layers.end(),
                     [](const LayerTiming& layer) { return layer.differing == 0; })
             ? 0
             : 1;
}

}  // namespace flipscope::cli
