// flipscope trace: how curved the loss is, layer by layer.
#include <optional>

#include "differentiation.h"
#include "flipscope/numeric/error.h"
#include "json.h"
#include "stop_signal.h"
#include "verbs.h"

namespace flipscope::cli {

namespace {

/// One layer, or the whole network.
struct Row {
  std::string name;
  std::int64_t words = 0;
  TraceEstimate trace;
  std::vector<Eigenpair> pairs;
};

Json row_json(const Row& row) {
  Json::Array values, residuals;
  for (const Eigenpair& pair : row.pairs) {
    values.emplace_back(pair.value);
    residuals.emplace_back(pair.residual);
  }
  return Json::Object{{"layer", row.name},
                      {"words", row.words},
                      {"trace", row.trace.trace},
                      {"standard_error", row.trace.standard_error},
                      {"eigenvalues", std::move(values)},
                      {"residuals", std::move(residuals)}};
}

std::vector<std::string> row_cells(const Row& row, bool exact) {
  std::string values;
  double residual = 0;
  for (const Eigenpair& pair : row.pairs) {
    values += (values.empty() ? "" : ", ") + number_text(pair.value);
    residual = std::max(residual, pair.residual);
  }
  return {row.name,
          grouped(static_cast<std::uint64_t>(row.words)),
          number_text(row.trace.trace),
          exact ? "exact" : number_text(row.trace.standard_error),
          values,
          fmt::format("{:.1e}", residual)};
}

/// Layers in order, the network last.
std::vector<LayerSpan> spans_of(const Objective& objective) {
  std::vector<LayerSpan> spans = layers_of(objective.graph(), objective.parameters());
  spans.push_back({"(all)", 0, objective.parameters().size()});
  return spans;
}

}  // namespace

void describe_trace(Command& command, Options& options) {
  command.heading("Arguments");
  describe_model(command, options);
  describe_samples(command, options);
  describe_fault_space(command, options);
  command.heading("Hessian");
  command.option(
      "variant", "VARIANT",
      [&](const std::string& text) {
        parse_variant(text);
        options.variant = text;
      },
      "Eigenpairs of the whole: exact (default), or code (deflated tensor by tensor, which gives "
      "eigenpairs but for the first none).");
  describe_loss(command, options);
  describe_common(command, options);
  command.example(
      "trace examples/classifier.onnx --inputs examples/classifier_inputs.npy --scale 1/256 "
      "--labels examples/classifier_labels.npy --top 3");
}

int trace(const Options& options) {
  std::optional<EndAtSignal> guard("flipscope: [trace] interrupted; nothing is kept");
  const Differentiation problem(options);
  const Objective& objective = problem.objective();
  RankOptions ranked;
  ranked.variant = parse_variant(options.variant);
  ranked.top = options.top;
  ranked.seed = options.campaign.seed;
  LanczosOptions lanczos;
  lanczos.count = options.top;
  lanczos.seed = options.campaign.seed;

  const std::vector<LayerSpan> spans = spans_of(objective);
  const std::int64_t probes = std::min(options.probes, objective.parameters().size());
  ProgressLine progress("products", options.quiet);
  ProductCounter counter(
      progress, static_cast<std::uint64_t>(
                    probes + std::ssize(spans) * (options.top > 0 ? 3 * options.top + 24 : 0)));
  std::vector<Row> rows;
  for (const LayerSpan& span : spans) {
    Row row{span.layer, span.last - span.first, {}, {}};
    row.pairs = &span == &spans.back()
                    ? ranking_eigenpairs(objective, ranked, counter.callback())
                    : largest_eigenpairs(row.words, hessian_of(objective, span, counter.callback()),
                                         lanczos);
    rows.push_back(std::move(row));
  }
  std::vector<std::int64_t> first;
  for (const LayerSpan& span : spans) first.push_back(span.first);
  first.back() = objective.parameters().size();
  const bool exact_pairs = ranked.variant != HessianVariant::code;
  const DiagonalEstimate traces = estimate_diagonal(
      first, hessian_of(objective, counter.callback()), options.probes,
      exact_pairs ? rows.back().pairs : std::vector<Eigenpair>(), options.campaign.seed);
  for (std::size_t k = 0; k < rows.size(); ++k) rows[k].trace = traces.blocks[k];
  progress.clear();

  const double loss = objective.loss();
  guard.reset();
  if (options.json) {
    Json::Array layers;
    for (const Row& row : rows) layers.push_back(row_json(row));
    print(text(Json::Object{{"model", options.campaign.model},
                            {"loss", to_string(problem.loss())},
                            {"against", problem.against()},
                            {"value", loss},
                            {"samples", problem.samples()},
                            {"variant", options.variant},
                            {"exact", traces.exact},
                            {"layers", std::move(layers)},
                            {"products", counter.made()},
                            {"seconds", counter.seconds()},
                            {"seed", options.campaign.seed}}));
    return 0;
  }
  if (options.quiet) return 0;
  print(fmt::format("{}: {} against {} of {} samples is {} (seed {})\n\n", options.campaign.model,
                    to_string(problem.loss()), problem.against(),
                    grouped(static_cast<std::uint64_t>(problem.samples())), number_text(loss),
                    options.campaign.seed));
  Table table({"layer", "words", "trace", "standard error", "largest eigenvalues", "residual"},
              "lrrrlr");
  for (const Row& row : rows) table.row(row_cells(row, traces.exact));
  print(table.text());
  print(fmt::format("\n{} Hessian products in {}\n", grouped(counter.made()),
                    duration(counter.seconds())));
  return 0;
}

}  // namespace flipscope::cli
