// What a campaign says, in words.
#include <algorithm>
#include <map>
#include <set>

#include "flipscope/numeric/error.h"
#include "flipscope/report/campaign_report.h"
#include "flipscope/report/words.h"

namespace flipscope {
namespace {

std::string field(const std::map<std::string, std::string>& fields, const char* name) {
  const auto found = fields.find(name);
  return found == fields.end() ? std::string() : found->second;
}

std::string certainty(const CampaignReport& campaign) {
  if (campaign.is_exhaustive()) return "every fault of the space was run: no sampling error";
  if (!campaign.record.is_sample())
    return "of these faults alone, which are no sample of the network's";
  return fmt::format("intervals are {:.0f}%", 100 * campaign.summary.confidence);
}

std::string layer_text(const FaultGroup& layer) {
  return layer.part == "weights" ? layer.layer : fmt::format("{} ({})", layer.layer, layer.part);
}

std::string position_text(const FaultGroup& position) {
  if (position.bit) return fmt::format("bit {}", *position.bit);
  return *position.from_msb == 0
             ? "the most significant bit"
             : fmt::format("{} below the most significant bit", *position.from_msb);
}

/// The group that surely does the most harm: a mean of few faults may be high by chance.
const FaultGroup& worst(const std::vector<FaultGroup>& groups) {
  return *std::ranges::max_element(groups, {},
                                   [](const FaultGroup& g) { return g.harm.interval.lower; });
}

std::string how_much(const CampaignReport& campaign) {
  const CampaignSummary& summary = campaign.summary;
  const CampaignRecord& record = campaign.record;
  const char* fault = record.trials                                  ? "trial"
                      : field(record.fields, "faults") == "bit-flip" ? "flipped bit"
                                                                     : "fault";
  const char* does = field(record.fields, "critical").empty() ? "changes or breaks the decision"
                                                              : "is critical or breaks the output";
  const std::string samples = grouped(static_cast<std::uint64_t>(summary.samples));
  const std::string harm = harm_text(campaign, campaign.all.harm);
  return campaign.by_decision()
             ? fmt::format("A {} {} on {} of the {} samples on average; {}.", fault, does, harm,
                           samples, certainty(campaign))
             : fmt::format(
                   "A {} worsens the {} by {} on average (a change for the better counts as 0), "
                   "from "
                   "{:.4g} without faults, over {} samples; {}.",
                   fault, summary.score_name, harm, summary.golden_score.value_or(0), samples,
                   certainty(campaign));
}

std::string where(const CampaignReport& campaign) {
  const char* faults = campaign.record.trials ? "trials do harm" : "bits are critical";
  const std::string share =
      fmt::format("{} of {} on at least one sample", rate_text(campaign.all.harmful), faults);
  if (campaign.layers.empty()) return share + ".";
  const FaultGroup& layer = worst(campaign.layers);
  const FaultGroup& position = worst(campaign.positions);
  const FaultGroup& largest =
      *std::ranges::max_element(campaign.layers, {}, &FaultGroup::harm_share);
  const std::string most = largest.harm_share > layer.harm_share
                               ? fmt::format(" (the largest share, {}, lies in {})",
                                             percent(largest.harm_share), layer_text(largest))
                               : "";
  return fmt::format(
      "{}; the most critical layer is {} with {} per flip and {} of all harm{}, the most critical "
      "position {} with {}.",
      campaign.by_decision()
          ? share
          : fmt::format("{} of bits worsen it when they flip", rate_text(campaign.all.harmful)),
      layer_text(layer), harm_text(campaign, layer.harm), percent(layer.harm_share), most,
      position_text(position), harm_text(campaign, position.harm));
}

/// What a sample says of protection: how few bits do the harm, not which bits of the others.
std::string what_the_sample_shows(const CampaignReport& campaign, std::uint64_t half,
                                  std::uint64_t tenth) {
  return fmt::format(
      "Half of the harm that was seen lies on {} of the {} faults that were run, nine tenths on "
      "{}. "
      "The harm of the {} bits that were not run stays: which of those to protect, a ranking or a "
      "campaign of them all says.",
      grouped(half), grouped(campaign.summary.done), grouped(tenth),
      grouped(campaign.summary.space - std::min(campaign.summary.done, campaign.summary.space)));
}

std::string what_protection_leaves(const CampaignReport& campaign) {
  const auto half = bits_to_leave(campaign, 0.5), tenth = bits_to_leave(campaign, 0.1);
  if (!half) return "No fault that was run does any harm.";
  if (!campaign.is_exhaustive()) return what_the_sample_shows(campaign, *half, *tenth);
  const auto hundred = std::ranges::find(campaign.residuals, 100U, &Residual::bits);
  const std::string protection =
      hundred == campaign.residuals.end()
          ? "Protecting the worst bits first, half of the harm"
          : fmt::format("Protecting the 100 worst bits leaves {} of the harm; half of it",
                        percent(hundred->left));
  const auto share = [&](std::uint64_t bits) {
    return fmt::format(
        "{} bit{} ({})", grouped(bits), bits == 1 ? "" : "s",
        percent(static_cast<double>(bits) / static_cast<double>(campaign.summary.done)));
  };
  return fmt::format("{} is gone with {}, nine tenths with {}.", protection, share(*half),
                     share(*tenth));
}

}  // namespace

std::string harm_text(const CampaignReport& campaign, const Rate& harm) {
  if (campaign.by_decision()) return rate_text(harm);
  if (harm.interval.lower == harm.interval.upper) return fmt::format("{:.4g}", harm.mean);
  return fmt::format("{:.4g} ({:.4g} to {:.4g})", harm.mean, harm.interval.lower,
                     harm.interval.upper);
}

std::vector<std::string> answer(const CampaignReport& campaign) {
  std::vector<std::string> sentences{how_much(campaign), where(campaign)};
  if (!campaign.layers.empty()) sentences.push_back(what_protection_leaves(campaign));
  return sentences;
}

std::vector<std::pair<std::string, std::string>> facts(const CampaignReport& campaign) {
  const CampaignRecord& record = campaign.record;
  const CampaignSummary& summary = campaign.summary;
  std::vector<std::pair<std::string, std::string>> facts;
  const auto add = [&](const char* name, std::string value) {
    if (!value.empty()) facts.emplace_back(name, std::move(value));
  };
  add("Model", summary.model);
  std::string samples = fmt::format("{} of {}", grouped(static_cast<std::uint64_t>(record.samples)),
                                    field(record.info, "inputs"));
  if (const std::string labels = field(record.info, "labels"); !labels.empty()) {
    samples += ", labels " + labels;
  }
  if (const std::string targets = field(record.info, "targets"); !targets.empty()) {
    samples += ", targets " + targets;
  }
  add("Samples", samples);
  add("Fault model", field(record.fields, "faults"));
  std::string space =
      fmt::format("{} bits of {}", grouped(summary.space), field(record.fields, "in"));
  if (const std::string layers = field(record.fields, "layers"); !layers.empty()) {
    space += ", layers " + layers;
  }
  if (const std::string bits = field(record.fields, "bits"); !bits.empty())
    space += ", bits " + bits;
  add("Fault space", space);
  add("Selection", field(record.info, "select"));
  add("Faults run", summary.done == summary.rows
                        ? grouped(summary.done)
                        : fmt::format("{} of {}", grouped(summary.done), grouped(summary.rows)));
  add("Score", summary.score_name);
  if (summary.golden_score) add("Golden score", number_text(*summary.golden_score));
  add("Critical", field(record.fields, "critical"));
  add("Earth mover's costs", field(record.info, "emd-cost"));
  add("Protected bits", field(record.info, "protect"));
  if (field(record.fields, "count-only-correct") == "yes") {
    add("Samples counted", "only those that the golden run gets right");
  }
  add("Seed", std::to_string(record.seed));
  add("Identity", record.identity);
  add("Store", campaign.store);
  std::set<std::string> versions;
  double seconds = 0;
  std::uint64_t threads = 0;
  for (const Session& session : campaign.sessions) {
    versions.insert(session.version);
    seconds += session.seconds;
    threads = std::max(threads, session.threads);
  }
  if (!versions.empty()) {
    add("Run by", fmt::format("flipscope {}, semantics {}", fmt::join(versions, ", "),
                              field(record.fields, "semantics")));
    add("Time",
        fmt::format("{}, up to {} thread{}", duration(seconds), threads, threads == 1 ? "" : "s"));
  }
  return facts;
}

}  // namespace flipscope
