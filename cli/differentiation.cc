#include "differentiation.h"

#include <algorithm>

#include "flipscope/model/model.h"
#include "flipscope/numeric/error.h"
#include "flipscope/score/classification.h"
#include "golden_outputs.h"
#include "thread_count.h"

namespace flipscope::cli {

namespace {

Graph load_differentiable(const Options& options) {
  if (options.campaign.samples.inputs.empty()) fail("usage", "derivatives need --inputs FILE");
  if (options.probes < 1) fail("usage", "--probes must be at least 1");
  Graph graph = load_model(options.campaign.model, options.campaign.variant);
  Objective::loss_input(graph, {});
  return graph;
}

std::int64_t outputs_of(const Graph& graph) {
  return element_count(graph.values[static_cast<std::size_t>(graph.outputs.front())].shape);
}

/// The loss that is asked for, else the one that targets or outputs suggest.
LossSpec chosen_loss(const Options& options, const Graph& graph) {
  if (!options.loss.empty()) return parse_loss(options.loss);
  const bool numbers = !options.campaign.samples.targets.empty() || outputs_of(graph) == 1;
  return {numbers ? LossSpec::Kind::mse : LossSpec::Kind::cross_entropy};
}

}  // namespace

void describe_loss(Command& command, Options& options) {
  command.option(
      "loss", "LOSS",
      [&](const std::string& text) {
        parse_loss(text);
        options.loss = text;
      },
      "cross-entropy (default for classifiers; against labels if given, else the golden "
      "decisions), mse (default with targets; else against the golden outputs), "
      "groups:FILE.csv.");
  command.option("top", "K", options.top, "Eigenpairs of the Hessian (default: 8).");
  command.option("probes", "N", options.probes,
                 "Random probes of Hutchinson's estimates (default: 32); with as many probes as "
                 "words they are exact.");
}

Samples Differentiation::load(const Options& options) {
  const Shape& in = graph_.values[static_cast<std::size_t>(graph_.inputs.front())].shape;
  Samples samples = load_samples(options.campaign.samples, in, graph_.layout);
  const bool decisions = spec_.kind == LossSpec::Kind::cross_entropy;
  const bool given = decisions ? !samples.labels.empty() : !samples.targets.empty();
  against_ =
      decisions ? (given ? "labels" : "golden decisions") : (given ? "targets" : "golden outputs");
  if (given) return samples;
  std::vector<float> outputs =
      golden_outputs(Program(graph_), samples.values.data(), samples.count,
                     options.campaign.threads, [](std::uint64_t, std::uint64_t, double) {});
  const std::int64_t size = outputs_of(graph_);
  if (decisions) {
    samples.labels.resize(static_cast<std::size_t>(samples.count));
    for (std::int64_t k = 0; k < samples.count; ++k) {
      decide(outputs.data() + k * size, static_cast<int>(size), 1, samples.labels.data() + k);
    }
  } else {
    samples.targets = std::move(outputs);
    samples.target_size = size;
  }
  return samples;
}

Differentiation::Differentiation(const Options& options)
    : threads_(tbb::global_control::max_allowed_parallelism, thread_count(options)),
      graph_(load_differentiable(options)),
      space_(graph_, options.campaign.space),
      spec_(chosen_loss(options, graph_)),
      samples_(load(options)),
      loss_(spec_, samples_, outputs_of(graph_)),
      objective_(graph_, samples_, loss_, parameters_of(graph_, space_)) {}

ProductsDone ProductCounter::callback() {
  return [this, before = made_](std::uint64_t done) {
    made_ = before + done;
    line_.report(made_, std::max(expected_, made_ + 1), seconds());
  };
}

double ProductCounter::seconds() const {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count();
}

}  // namespace flipscope::cli
