// flipscope inject: a campaign, from its start or from where the store stands.
#include <cstdio>

#include "flipscope/numeric/error.h"
#include "stop_signal.h"
#include "summary.h"
#include "terminal.h"
#include "verbs.h"

namespace flipscope::cli {

void describe_inject(Command& command, Options& options) {
  CampaignOptions& campaign = options.campaign;
  command.heading("Arguments");
  describe_model(command, options);
  command.option("store", "FILE", options.store,
                 "The campaign's file, run.db; the same command again resumes it.");
  describe_samples(command, options);
  command.heading("Faults");
  command.option("faults", "KIND", campaign.faults,
                 "bit-flip (default), stuck-at-0, stuck-at-1, burst:K, multi:K, rate:BER.");
  command.option("select", "HOW", campaign.select,
                 "exhaustive (default), random:N (N faults, or N trials), list:FILE.csv, "
                 "ranking:FILE.csv[:N], statistical:layer|unaware|aware (a sample of each tensor, "
                 "or of each of its bit positions), until:MARGIN (at random until the critical "
                 "rate is known to so much), binary-search (the critical bits of each word), "
                 "hybrid:HEURISTIC[:REDUCTION][:AUDIT] (a heuristic of slice decides which faults "
                 "are run; a random audit says what the others hide).");
  describe_precision(command, options);
  describe_search(command, options);
  command.option("protect", "FILE.csv", campaign.protect, "A list of bits that cannot be flipped.");
  describe_fault_space(command, options);
  command.heading("Judgement");
  describe_score(command, options);
  command.option("critical", "CONDITION", campaign.critical,
                 "What counts as critical, in the place of a changed decision; needed where "
                 "outputs have none: 'delta>0'. Binary search asks it of a fault's own score.");
  command.option(
      "fail-if", "CONDITION",
      [&](const std::string& text) {
        campaign.bar = parse_bar(text);
        options.bar_text = text;
      },
      "Exit 1 if the upper confidence bound of a rate reaches a number: 'sdc>0.01', 'sdc>1%' "
      "(sdc or critical, due, non-critical, masked).");
  command.heading("Work");
  command.option(
      "shard", "K/N", [&](const std::string& text) { campaign.shard = parse_shard(text); },
      "Only part K of N, counted from 1; merge joins the stores.");
  command.option(
      "arithmetic", "exact|fast",
      [&](const std::string& text) { campaign.arithmetic = parse_arithmetic(text); },
      "exact (default), or fast: decisions only. Flips that are proved too small to change one are "
      "not run, and masked samples count as non-critical.");
  command.option("verify", "N", campaign.verify,
                 "Run N of the faults again by the slow reference interpreter; exit 1 if a bit "
                 "differs.");
  command.option(
      "memory", "SIZE", [&](const std::string& text) { campaign.memory = parse_memory(text); },
      "For golden values: 4GiB, 500M (default: half of the machine's).");
  describe_common(command, options);
  command.example(
      "inject examples/classifier.onnx --inputs examples/classifier_inputs.npy --scale 1/256 "
      "--labels examples/classifier_labels.npy --store run.db");
}

int inject(const Options& options) {
  if (options.store.empty()) {
    fail("usage", "inject needs --store FILE, the file that keeps the campaign");
  }
  if (options.campaign.samples.inputs.empty()) fail("usage", "inject needs --inputs FILE");
  ProgressLine scoring("faults scored", options.quiet), progress("faults", options.quiet);
  CampaignOptions campaign = options.campaign;
  campaign.scoring = scoring.callback();
  const CampaignSummary summary =
      run_campaign(campaign, options.store, progress.callback(), stop_signal());
  scoring.clear();
  progress.clear();
  const bool has_begun = !summary.identity.empty();

  std::optional<bool> broken;
  const std::optional<Bar>& bar = options.campaign.bar;
  if (bar && !summary.interrupted) broken = is_broken(*bar, summary);
  if (options.json && has_begun) {
    print(summary_json(summary, options.store, broken));
  } else if (!options.quiet && has_begun) {
    print(summary_text(summary, options.store));
    if (!summary.interrupted)
      print(fmt::format("Next: flipscope report {} --out report.html\n", options.store));
  }
  if (summary.interrupted) {
    finish_output();
    std::fprintf(stderr, "flipscope: [inject] interrupted%s: %s\n",
                 has_begun ? "; what is done stands in the store, and this goes on"
                           : " before the first fault was run; this starts again",
                 options.command.c_str());
    return 3;
  }
  if (broken.value_or(false)) {
    finish_output();
    std::fprintf(
        stderr,
        "flipscope: [inject] the bar --fail-if '%s' is broken: the rate's upper bound is %s\n",
        options.bar_text.c_str(), number_text(*upper_bound(*bar, summary)).c_str());
    return 1;
  }
  return 0;
}

}  // namespace flipscope::cli
