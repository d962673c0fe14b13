// flipscope rank: bits in the order in which they should matter, without injecting.
#include "differentiation.h"
#include "flipscope/numeric/error.h"
#include "json.h"
#include "rank_vulnerability.h"
#include "slice_setup.h"
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

/// --metric vulnerability needs no derivatives.
int rank_vulnerable(const Options& options) {
  const std::optional<VulnerabilityRanking> found = rank_by_vulnerability(options);
  if (!found) {
    std::fprintf(stderr, "flipscope: [rank] interrupted; nothing is written\n");
    return 3;
  }
  write_ranking(found->space, found->ranking, options.out);
  if (options.json) {
    print(text(Json::Object{{"model", options.campaign.model},
                            {"metric", options.metric},
                            {"samples", found->samples},
                            {"bits", found->ranking.size()},
                            {"seconds", found->seconds},
                            {"out", options.out}}));
  } else if (!options.quiet && !options.out.empty()) {
    print(fmt::format("{}: {} bits by {} ({} samples), in {}\n", options.out,
                      grouped(found->ranking.size()), options.metric,
                      grouped(static_cast<std::uint64_t>(found->samples)),
                      duration(found->seconds)));
  }
  return 0;
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
        if (text != kVulnerability && !text.starts_with(kSliceMetric)) parse_metric(text);
        options.metric = text;
      },
      "random, msb (highest bits first), gradient, taylor, hessian (default), inflection (how far "
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
  if (options.json && options.out.empty()) fail("usage", "--json needs --out FILE.csv");
  if (options.metric == kVulnerability) return rank_vulnerable(options);
  if (options.metric.starts_with(kSliceMetric)) return rank_by_slices(options);
  if (options.top < 1 && parse_metric(options.metric) == Metric::hessian) {
    fail("usage", "--metric hessian needs --top of at least 1");
  }
  const Differentiation problem(options);
  RankOptions chosen;
  chosen.metric = parse_metric(options.metric);
  chosen.variant = parse_variant(options.variant);
  chosen.top = options.top;
  chosen.probes = options.probes;
  chosen.seed = options.campaign.seed;

  ProgressLine progress("steps", options.quiet);
  ProductCounter counter(progress, expected_steps(chosen, problem.space(), problem.objective()));
  const Ranking ranking =
      flipscope::rank(problem.objective(), problem.space(), chosen, counter.callback());
  progress.clear();
  write_ranking(problem.space(), ranking, options.out);

  if (options.json) {
    print(text(Json::Object{{"model", options.campaign.model},
                            {"metric", options.metric},
                            {"variant", options.variant},
                            {"loss", to_string(problem.loss())},
                            {"against", problem.against()},
                            {"samples", problem.samples()},
                            {"bits", ranking.size()},
                            {"steps", counter.made()},
                            {"seconds", counter.seconds()},
                            {"out", options.out},
                            {"seed", options.campaign.seed}}));
  } else if (!options.quiet && !options.out.empty()) {
    print(fmt::format("{}: {} bits by {} ({} against {} of {} samples, seed {}), in {}\n",
                      options.out, grouped(ranking.size()), options.metric,
                      to_string(problem.loss()), problem.against(),
                      grouped(static_cast<std::uint64_t>(problem.samples())), options.campaign.seed,
                      duration(counter.seconds())));
  }
  return 0;
}

}  // namespace flipscope::cli
