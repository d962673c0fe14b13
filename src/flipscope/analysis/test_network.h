// A random network with its inputs, for tests of vulnerability analyses.
#pragma once

#include <utility>

#include "flipscope/analysis/fault_target.h"
#include "flipscope/engine/program.h"
#include "flipscope/engine/test_random_network.h"
#include "flipscope/model/samples.h"

namespace flipscope::testing {

constexpr FaultKind kKinds[] = {FaultKind::operands, FaultKind::stored, FaultKind::filters};

struct Network {
  explicit Network(std::uint64_t seed, int samples = 5)
      : random(seed), graph(random.make()), program(graph) {
    draw(samples);
  }
  Network(Graph own, std::uint64_t seed, int samples)
      : random(seed), graph(std::move(own)), program(graph) {
    draw(samples);
  }
  void draw(int samples) {
    inputs.count = samples;
    inputs.values = random.samples(graph, samples);
  }

  RandomNetwork random;
  Graph graph;
  Program program;
  Samples inputs;
};

}  // namespace flipscope::testing
