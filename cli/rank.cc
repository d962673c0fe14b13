// flipscope rank: bits in the order in which they should matter, without injecting.
#include <chrono>
#include <optional>

#include "differentiation.h"
#include "flipscope/model/model.h"
#include "flipscope/model/output_file.h"
#include "flipscope/numeric/error.h"
#include "rank_checkpoint.h"
#include "rank_trace.h"
#include "rank_vulnerability.h"
#include "ranking_output.h"
#include "slice_setup.h"
#include "stop_signal.h"
#include "verbs.h"

namespace flipscope::cli {

namespace {

constexpr const char* kVulnerability = "vulnerability";

/// About how many steps a metric takes: gradients and Hessian products, or blocks of samples.
std::uint64_t expected_steps(const RankOptions& options, const FaultSpace& space,
                             const Objective& objective) {
  const std::int64_t words = objective.parameters().size();
  const auto probes = static_cast<std::uint64_t>(std::min(options.probes, words));
  const std::uint64_t lanczos = 3 * static_cast<std::uint64_t>(options.top) + 24;
  switch (options.metric) {
    case Metric::random:
    case Metric::msb:
      return 0;
    case Metric::gradient:
    case Metric::taylor:
      return 1;
    case Metric::hessian:
      return lanczos;
    case Metric::trace:
      return space.size() * probes;
    case Metric::inflection:
    case Metric::flip:
      return static_cast<std::uint64_t>(objective.blocks());
  }
  return 0;
}

/// Orders that depend on the stored words' places alone, and need no samples.
bool is_blind(const std::string& metric) {
  return metric == "random" || metric == "msb";
}

Metric metric_of(const std::string& text) {
  try {
    return parse_metric(text);
  } catch (const Error& error) {
    throw Error(std::string(error.what()) + ", vulnerability, slice:HEURISTIC");
  }
}

int rank_blindly(const Options& options) {
  const auto begin = std::chrono::steady_clock::now();
  const FaultSpace space(load_model(options.campaign.model, options.campaign.variant),
                         options.campaign.space);
  std::int64_t words = 0;
  for (const FaultTarget& target : space.targets()) words += target.elements;
  const Ranking ranking =
      options.metric == "random"
          ? random_ranking(space, options.campaign.seed)
          : rank_words(space, std::vector<double>(static_cast<std::size_t>(words), 0.0));
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  return give_ranking(options, space, ranking, {.seconds = took.count()});
}

int rank_by_derivatives(const Options& options) {
  RankOptions chosen;
  chosen.metric = parse_metric(options.metric);
  chosen.variant = parse_variant(options.variant);
  chosen.top = options.top;
  chosen.probes = options.probes;
  chosen.seed = options.campaign.seed;
  if (options.top < 1 && chosen.metric == Metric::hessian) {
    fail("usage", "--metric hessian needs --top of at least 1");
  }
  const bool is_short = chosen.metric == Metric::gradient || chosen.metric == Metric::taylor;
  // Its products are thousands, each as long as the network has words.
  const bool is_code = chosen.metric == Metric::hessian && chosen.variant == HessianVariant::code;
  const bool resumes = !is_short && !is_code && !options.out.empty();
  const std::string checkpoint = resumes ? options.out + ".partial" : "";
  std::optional<EndAtSignal> guard(
      "flipscope: [rank] interrupted; " +
      (resumes ? "this goes on: " + options.command : std::string("nothing is kept")));
  const Differentiation problem(options);
  std::optional<ChunkLog> log;
  if (resumes && chosen.metric != Metric::trace) {
    log.emplace(checkpoint, rank_identity(problem, chosen, options));
    chosen.kept = steps_in(*log);
  }
  ProgressLine progress("steps", options.quiet);
  ProductCounter counter(progress, expected_steps(chosen, problem.space(), problem.objective()));
  const Ranking ranking =
      chosen.metric == Metric::trace
          ? rank_by_traces(problem, chosen, options, counter, checkpoint)
          : flipscope::rank(problem.objective(), problem.space(), chosen, counter.callback());
  progress.clear();
  guard.reset();
  RankingBasis basis;
  basis.samples = problem.samples();
  basis.words = fmt::format("{} against {} of ", to_string(problem.loss()), problem.against());
  basis.more = {{"variant", options.variant},
                {"loss", to_string(problem.loss())},
                {"against", problem.against()},
                {"steps", counter.made()}};
  basis.seconds = counter.seconds();
  const int code = give_ranking(options, problem.space(), ranking, basis);
  forget(checkpoint);
  return code;
}

}  // namespace

void describe_rank(Command& command, Options& options) {
  command.heading("Arguments");
  describe_model(command, options);
  describe_samples(command, options);
  describe_fault_space(command, options);
  command.heading("Ranking");
  command.option(
      "metric", "METRIC",
      [&](const std::string& text) {
        if (text != kVulnerability && !text.starts_with(kSliceMetric)) metric_of(text);
        options.metric = text;
      },
      "random, msb (highest bits first; these two need no --inputs), gradient, taylor, hessian "
      "(default), inflection (how far "
      "above the lowest bit that matters in its word), trace (of the "
      "Hessian with the bit flipped), flip (how far this flip should move the outputs), "
      "vulnerability (by the errors that change decisions, see the verb of that name), "
      "slice:HEURISTIC[:REDUCTION] (as slice has them).");
  command.option(
      "variant", "VARIANT",
      [&](const std::string& text) {
        parse_variant(text);
        options.variant = text;
      },
      "hessian: exact (default), paper (signed), code (deflated tensor by tensor).");
  describe_loss(command, options);
  command.option("out", "FILE.csv", options.out, "Where to write (default: standard output).");
  describe_common(command, options);
  command.example(
      "rank examples/classifier.onnx --inputs examples/classifier_inputs.npy --scale 1/256 "
      "--labels examples/classifier_labels.npy --metric flip --out ranking.csv");
}

int rank(const Options& options) {
  if (!options.out.empty()) check_writable(options.out);
  if (is_blind(options.metric)) return rank_blindly(options);
  if (options.campaign.samples.inputs.empty()) {
    fail("usage", "--metric {} needs --inputs FILE", options.metric);
  }
  if (options.metric == kVulnerability) return rank_by_vulnerability(options);
  if (options.metric.starts_with(kSliceMetric)) return rank_by_slices(options);
  return rank_by_derivatives(options);
}

}  // namespace flipscope::cli
