#include "slice_setup.h"

#include <chrono>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "flipscope/campaign/ticker.h"
#include "flipscope/model/file_bytes.h"
#include "flipscope/model/model.h"
#include "flipscope/numeric/error.h"
#include "flipscope/numeric/hash.h"
#include "terminal.h"
#include "thread_count.h"

namespace flipscope::cli {

namespace {

Samples load(const Options& options, const Graph& graph) {
  if (options.campaign.samples.inputs.empty()) fail("usage", "slices need --inputs FILE");
  if (graph.inputs.size() != 1) {
    fail("slice", "'{}' has {} inputs; slices need a model with one", graph.name,
         graph.inputs.size());
  }
  return load_samples(options.campaign.samples, graph.values[graph.inputs[0]].shape, graph.layout);
}

ChangeSource source_of(const Options& options, const FaultSpace& space) {
  if (options.slice_end != "update") return ChangeSource::run;
  for (const FaultTarget& target : space.targets()) {
    if (target.part == Part::weights) continue;
    fail("usage", "--slice-end update is for --in weights: '{}' is among the {}", target.tensor,
         to_string(target.part));
  }
  return ChangeSource::update;
}

SliceOptions slice_options(const Options& options, const std::vector<SliceColumn>& columns) {
  SliceOptions chosen;
  chosen.end = options.slice_end == "layer" ? SliceEnd::layer : SliceEnd::sums;
  chosen.classes_by_decision = options.classes == "decisions";
  chosen.needs = needs_of(columns);
  return chosen;
}

/// Of all that scores depend on.
std::string identity(const Options& options, const SliceSetup& setup,
                     const std::vector<std::uint64_t>& faults) {
  Hasher hasher;
  hasher.update(std::string_view("slice 1"))
      .update(std::string_view(model_identity(options.campaign.model)))
      .update(std::string_view(options.campaign.variant.requantize))
      .update(options.campaign.variant.prune)
      .update(std::string_view(setup.samples().identity))
      .update(std::string_view(options.slice_end))
      .update(std::string_view(options.classes));
  for (const SliceColumn& column : setup.columns()) hasher.update(std::string_view(column.name()));
  for (const FaultTarget& target : setup.space().targets()) {
    hasher.update(std::string_view(target.tensor));
  }
  for (const std::uint64_t fault : faults) {
    const FaultSite site = setup.space().site(fault);
    hasher.update(site.target).update(site.index).update(site.bit);
  }
  return to_string(hasher.digest());
}

std::string bytes_of(const std::string& identity, const SliceScores& scores) {
  std::string bytes = identity;
  const std::uint64_t blocks = scores.blocks;
  bytes.append(reinterpret_cast<const char*>(&blocks), sizeof blocks);
  bytes.append(reinterpret_cast<const char*>(scores.sums.data()),
               scores.sums.size() * sizeof(double));
  return bytes;
}

/// What the file holds of this very work; nothing of any other.
SliceScores read_checkpoint(const std::string& file, const std::string& identity,
                            std::size_t numbers) {
  SliceScores scores;
  if (file.empty() || !std::filesystem::exists(file)) return scores;
  const std::string bytes = read_file_bytes(file);
  std::uint64_t blocks = 0;
  const std::size_t head = identity.size() + sizeof blocks;
  if (bytes.size() != head + numbers * sizeof(double) || !bytes.starts_with(identity)) {
    return scores;
  }
  std::memcpy(&blocks, bytes.data() + identity.size(), sizeof blocks);
  scores.blocks = blocks;
  scores.sums.resize(numbers);
  std::memcpy(scores.sums.data(), bytes.data() + head, numbers * sizeof(double));
  return scores;
}

}  // namespace

SliceSetup::SliceSetup(const Options& options, const std::vector<std::string>& heuristics)
    : threads_(tbb::global_control::max_allowed_parallelism, thread_count(options)),
      graph_(load_model(options.campaign.model, options.campaign.variant)),
      samples_(load(options, graph_)),
      space_(graph_, options.campaign.space),
      columns_(parse_columns(heuristics, SliceProblem::decides(graph_, samples_))),
      source_(source_of(options, space_)),
      problem_(graph_, samples_, space_, slice_options(options, columns_)) {}

std::optional<std::vector<double>> score_slices(const Options& options, const SliceSetup& setup,
                                                const std::vector<std::uint64_t>& faults,
                                                const std::string& checkpoint,
                                                const std::atomic<bool>& stop) {
  const SliceProblem& problem = setup.problem();
  const std::string who = identity(options, setup, faults);
  SliceScores scores = read_checkpoint(checkpoint, who, faults.size() * setup.columns().size());
  ProgressLine progress("faults", options.quiet);
  const auto begin = std::chrono::steady_clock::now();
  const std::function<void(std::uint64_t)> report = [&](std::uint64_t pairs) {
    const double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    progress.report(pairs / problem.blocks().size(), faults.size(), seconds);
  };
  Ticker ticker(report);
  const bool complete = add_scores(
      problem, faults, setup.columns(), setup.source(), scores, stop,
      [&](std::uint64_t pairs) { ticker(pairs); },
      [&] {
        if (!checkpoint.empty()) write_file_atomically(checkpoint, bytes_of(who, scores));
      });
  progress.clear();
  if (!complete) return {};
  return finished(problem, setup.columns(), scores);
}

int interrupted(const Options& options, const std::string& checkpoint) {
  std::fprintf(stderr, "flipscope: [slice] interrupted; %s\n",
               checkpoint.empty() ? "without --out nothing is kept"
                                  : ("this goes on: " + options.command).c_str());
  return 3;
}

void forget(const std::string& checkpoint) {
  if (!checkpoint.empty()) std::filesystem::remove(checkpoint);
}

}  // namespace flipscope::cli
