// What the verbs that need derivatives have in common: the loss of a network as a function of the
// stored words of a fault space.
#pragma once

#include <oneapi/tbb/global_control.h>

#include <chrono>
#include <cstdint>

#include "command.h"
#include "flipscope/analysis/sensitivity.h"
#include "options.h"
#include "terminal.h"

namespace flipscope::cli {

/// --loss, --probes, and what they belong to.
void describe_loss(Command& command, Options& options);

/// Model, samples, loss and parameters of a command line; they point to each other.
class Differentiation {
 public:
  /// Without --labels (--targets) the golden decisions (outputs) take their place. Throws Error
  /// where options are missing or wrong.
  explicit Differentiation(const Options& options);
  Differentiation(const Differentiation&) = delete;
  Differentiation& operator=(const Differentiation&) = delete;

  const Graph& graph() const { return graph_; }
  const FaultSpace& space() const { return space_; }
  const Objective& objective() const { return objective_; }
  const LossSpec& loss() const { return spec_; }
  std::int64_t samples() const { return samples_.count; }
  /// Of the samples, with their labels and targets where such are given.
  const std::string& identity() const { return samples_.identity; }
  /// "labels", "targets", "golden decisions", "golden outputs": what the loss compares with.
  const char* against() const { return against_; }

 private:
  Samples load(const Options& options);

  tbb::global_control threads_;
  Graph graph_;
  FaultSpace space_;
  LossSpec spec_;
  const char* against_ = "";
  Samples samples_;
  Loss loss_;
  Objective objective_;
};

/// Reports products to a line of progress; `expected` is how many there should be.
class ProductCounter {
 public:
  ProductCounter(ProgressLine& line, std::uint64_t expected) : line_(line), expected_(expected) {}

  /// Counts on, as one task of several begins.
  ProductsDone callback();
  std::uint64_t made() const { return made_; }
  double seconds() const;

 private:
  ProgressLine& line_;
  std::uint64_t expected_;
  std::uint64_t made_ = 0;
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

}  // namespace flipscope::cli
