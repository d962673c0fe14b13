// flipscope run: the golden run, its score, and how it compares with other frameworks.
#include <algorithm>
#include <chrono>
#include <cmath>

#include "compare_outputs.h"
#include "flipscope/campaign/exec_score.h"
#include "flipscope/campaign/plan.h"
#include "flipscope/engine/golden.h"
#include "flipscope/model/model.h"
#include "flipscope/model/npy.h"
#include "flipscope/numeric/error.h"
#include "flipscope/numeric/random.h"
#include "flipscope/score/score.h"
#include "golden_outputs.h"
#include "json.h"
#include "terminal.h"
#include "verbs.h"

namespace flipscope::cli {

namespace {

constexpr std::uint64_t kVerifyStream = 0x72756e;

/// The score that is asked for, else the one that labels or targets suggest.
std::optional<ScoreSpec> chosen_score(const Options& options, const Samples& samples) {
  if (!options.campaign.score.empty()) return parse_score(options.campaign.score);
  if (!samples.labels.empty()) return parse_score("mispredict");
  if (!samples.targets.empty()) return parse_score("mse");
  return {};
}

/// The score of fault-free outputs [sample][value], reduced in leaves as a campaign does.
double golden_score(const Options& options, const ScoreSpec& spec, const Samples& samples,
                    const std::vector<float>& outputs) {
  const auto size = static_cast<int>(std::ssize(outputs) / samples.count);
  if (spec.kind == ScoreSpec::Kind::exec) {
    return ExecScore(spec.program, samples, size)(outputs.data(), 0);
  }
  Scorer scorer(spec, samples, size, make_scorer_options(options.campaign, spec));
  std::vector<std::vector<float>> blocks;
  for (std::int64_t first = 0; first < samples.count; first += kBlockSamples) {
    const auto count =
        static_cast<int>(std::min<std::int64_t>(kBlockSamples, samples.count - first));
    std::vector<float> block(static_cast<std::size_t>(count) * static_cast<std::size_t>(size));
    for (int lane = 0; lane < count; ++lane) {
      for (int v = 0; v < size; ++v) {
        block[std::int64_t{v} * count + lane] = outputs[(first + lane) * size + v];
      }
    }
    scorer.observe_golden(first, count, block.data(), count);
    blocks.push_back(std::move(block));
  }
  std::vector<double> sums;
  for (std::size_t b = 0; b < blocks.size(); ++b) {
    const std::int64_t first = static_cast<std::int64_t>(b) * kBlockSamples;
    const int count = static_cast<int>(std::ssize(blocks[b]) / size);
    std::vector<double> scores(static_cast<std::size_t>(count));
    scorer.per_sample(first, count, blocks[b].data(), blocks[b].data(), count, scores.data());
    sums.push_back(leaf_sum(scores));
  }
  return scorer.reduce(sums);
}

std::int64_t not_finite(const std::vector<float>& outputs, std::int64_t count) {
  const std::size_t size = outputs.size() / static_cast<std::size_t>(count);
  std::int64_t samples = 0;
  for (std::size_t i = 0; i < outputs.size(); i += size) {
    const auto begin = outputs.begin() + static_cast<std::ptrdiff_t>(i);
    const auto end = begin + static_cast<std::ptrdiff_t>(size);
    samples += std::all_of(begin, end, [](float x) { return std::isfinite(x); }) ? 0 : 1;
  }
  return samples;
}

/// The shape of a file of outputs: samples, then the output's own axes.
Shape file_shape(const Shape& output, std::int64_t count) {
  Shape shape = output;
  if (!shape.empty() && shape[0] == 1) shape.erase(shape.begin());
  shape.insert(shape.begin(), count);
  return shape;
}

}  // namespace

void describe_run(Command& command, Options& options) {
  command.heading("Arguments");
  describe_model(command, options);
  describe_samples(command, options);
  command.heading("What to do with the outputs");
  describe_score(command, options);
  command.option("outputs", "FILE.npy", options.outputs, "Save the outputs, float32.");
  command.option("expect", "FILE", options.expect,
                 "Compare with another framework's outputs; exit 1 if they differ.");
  command.option("tolerance", "T", options.tolerance,
                 "Largest absolute difference that is no difference (default: 0).");
  command.option("verify", "N", options.campaign.verify,
                 "Run N random samples by the slow reference interpreter too; exit 1 if a bit "
                 "differs.");
  describe_common(command, options);
  command.example(
      "run examples/classifier.onnx --inputs examples/classifier_inputs.npy --scale 1/256 "
      "--labels examples/classifier_labels.npy --expect examples/classifier_logits.npy");
}

int run(const Options& options) {
  const CampaignOptions& campaign = options.campaign;
  if (campaign.samples.inputs.empty()) fail("usage", "run needs --inputs FILE");
  const Graph graph = load_model(campaign.model, campaign.variant);
  const Shape& in = graph.values[static_cast<std::size_t>(graph.inputs.front())].shape;
  const Shape& out = graph.values[static_cast<std::size_t>(graph.outputs.front())].shape;
  const Samples samples = load_samples(campaign.samples, in, graph.layout);
  const std::int64_t size = element_count(out);
  if (!samples.labels.empty()) check_labels(samples, size);
  const std::optional<ScoreSpec> spec = chosen_score(options, samples);
  if (campaign.verify > samples.count) {
    fail("usage", "--verify {} asks for more samples than the {} that there are", campaign.verify,
         samples.count);
  }

  const auto begin = std::chrono::steady_clock::now();
  ProgressLine progress("samples", options.quiet);
  const Program program(graph);
  const std::vector<float> outputs = golden_outputs(program, samples.values.data(), samples.count,
                                                    campaign.threads, progress.callback());
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  progress.clear();

  Json::Object json = {{"model", campaign.model},
                       {"samples", samples.count},
                       {"outputs", size},
                       {"seconds", seconds},
                       {"seed", campaign.seed}};
  std::string lines = fmt::format("{}: {} samples in {} (seed {})\n", campaign.model,
                                  grouped(static_cast<std::uint64_t>(samples.count)),
                                  duration(seconds), campaign.seed);
  if (!samples.labels.empty()) {
    const std::vector<std::int32_t> decided = decisions(outputs, samples.count);
    std::int64_t right = 0;
    for (std::size_t i = 0; i < decided.size(); ++i)
      right += decided[i] == samples.labels[i] ? 1 : 0;
    const double accuracy = static_cast<double>(right) / static_cast<double>(samples.count);
    json.emplace_back("accuracy", accuracy);
    json.emplace_back("correct", right);
    lines += fmt::format("accuracy: {} ({} of {})\n", percent(accuracy),
                         grouped(static_cast<std::uint64_t>(right)),
                         grouped(static_cast<std::uint64_t>(samples.count)));
  }
  if (spec) {
    const double score = golden_score(options, *spec, samples, outputs);
    json.emplace_back("score", Json::Object{{"name", to_string(*spec)}, {"value", score}});
    lines += fmt::format("{}: {}\n", to_string(*spec), number_text(score));
  }
  if (const std::int64_t broken = not_finite(outputs, samples.count); broken > 0) {
    json.emplace_back("not_finite", broken);
    lines += fmt::format("{} samples give NaN or Inf\n", broken);
  }

  bool holds = true;
  if (campaign.verify > 0) {
    const std::vector<std::uint64_t> chosen = sample_without_replacement(
        campaign.seed, kVerifyStream, static_cast<std::uint64_t>(samples.count),
        static_cast<std::uint64_t>(campaign.verify));
    const std::vector<std::uint64_t> wrong =
        differing_from_reference(graph, samples, outputs, chosen, campaign.threads);
    holds = wrong.empty();
    json.emplace_back("verified", campaign.verify);
    json.emplace_back("differing_from_reference", Json(wrong));
    lines += wrong.empty()
                 ? fmt::format("verified: {} samples, bit for bit\n", campaign.verify)
                 : fmt::format(
                       "verify FAILS: {} of {} samples differ from the reference, sample {} "
                       "first\n",
                       wrong.size(), campaign.verify, wrong.front());
  }
  if (!options.expect.empty()) {
    const Comparison difference =
        compare_outputs(outputs, samples.count, campaign.samples.skip, options.expect);
    const bool same = difference.largest <= options.tolerance;
    holds = holds && same;
    json.emplace_back("expect", Json::Object{{"file", options.expect},
                                             {"same", same},
                                             {"largest_difference", difference.largest},
                                             {"tolerance", options.tolerance},
                                             {"sample", difference.sample},
                                             {"output", difference.value},
                                             {"decisions_differing", difference.decisions}});
    lines += fmt::format("{} {}: largest difference {} (tolerance {}), {} decisions differ\n",
                         same ? "as" : "NOT as", options.expect, number_text(difference.largest),
                         number_text(options.tolerance), difference.decisions);
    if (!same) {
      lines += fmt::format("the largest is at sample {}, output {}\n", difference.sample,
                           difference.value);
    }
  }
  if (!options.outputs.empty()) {
    write_npy(options.outputs, file_shape(out, samples.count), outputs.data());
    lines += fmt::format("outputs in {}\n", options.outputs);
    json.emplace_back("outputs_file", options.outputs);
  }
  if (options.json) {
    print(text(json));
  } else if (!options.quiet) {
    print(lines);
  }
  return holds ? 0 : 1;
}

}  // namespace flipscope::cli
