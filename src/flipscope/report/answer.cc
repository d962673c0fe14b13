// What a campaign says, in words.
#include <algorithm>
#include <set>

#include "flipscope/numeric/error.h"
#include "flipscope/report/campaign_report.h"
#include "flipscope/report/words.h"

namespace flipscope {
namespace {

/// "2.41%, 2.20% to 2.63%", or a change of the score likewise.
std::string harm_text(const CampaignReport& campaign, const Rate& harm) {
  const auto text = [&](double value) {
    return campaign.by_decision() ? percent(value) : fmt::format("{:.4g}", value);
  };
  if (harm.interval.lower == harm.interval.upper) return text(harm.mean);
  return fmt::format("{}, {} to {}", text(harm.mean), text(harm.interval.lower),
                     text(harm.interval.upper));
}

std::string certainty(const CampaignReport& campaign) {
  if (campaign.is_exhaustive()) return "every fault of the space was run: no sampling error";
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

}  // namespace

std::vector<std::string> answer(const CampaignReport& campaign) {
  const CampaignSummary& summary = campaign.summary;
  const FaultGroup& all = campaign.all;
  const char* unit = campaign.record.trials ? "trial" : "flipped bit";
  const bool shares = campaign.by_decision();
  std::vector<std::string> sentences;
  sentences.push_back(
      shares
          ? fmt::format("A {} does harm on {} of {} samples on average; {}.", unit,
                        harm_text(campaign, all.harm),
                        grouped(static_cast<std::uint64_t>(summary.samples)), certainty(campaign))
          : fmt::format("A {} worsens the {} by {} on average, from {} without faults, over {} "
                        "samples; {}.",
                        unit, summary.score_name, harm_text(campaign, all.harm),
                        fmt::format("{:.4g}", summary.golden_score.value_or(0)),
                        grouped(static_cast<std::uint64_t>(summary.samples)), certainty(campaign)));
  const std::string harmful =
      fmt::format("{} of {} do harm on at least one sample", rate_text(all.harmful),
                  campaign.record.trials ? "trials" : "bits are critical: they");
  if (campaign.layers.empty()) {
    sentences.push_back(harmful + ".");
    return sentences;
  }
  const FaultGroup& layer = worst(campaign.layers);
  const FaultGroup& position = worst(campaign.positions);
  sentences.push_back(fmt::format(
      "{}; the most critical layer is {} ({}; {} of all harm), the most critical position {} ({}).",
      shares
          ? harmful
          : fmt::format("{} of bits are critical: their flip worsens it", rate_text(all.harmful)),
      layer_text(layer), harm_text(campaign, layer.harm), percent(layer.harm_share),
      position_text(position), harm_text(campaign, position.harm)));
  const auto half = bits_to_leave(campaign, 0.5), tenth = bits_to_leave(campaign, 0.1);
  const auto hundred = std::ranges::find(campaign.residuals, 100U, &Residual::bits);
  if (!half) {
    sentences.emplace_back("No fault that was run does any harm.");
    return sentences;
  }
  const char* of_what =
      campaign.is_exhaustive() ? "the harm" : "the harm of the faults that were run";
  const std::string protection =
      hundred == campaign.residuals.end()
          ? fmt::format("Protecting the worst bits first, half of {}", of_what)
          : fmt::format("Protecting the 100 worst bits leaves {} of {}; half of it",
                        percent(hundred->left), of_what);
  const auto share = [&](std::uint64_t bits) {
    return fmt::format("{} bit{} ({})", grouped(bits), bits == 1 ? "" : "s",
                       percent(static_cast<double>(bits) / static_cast<double>(summary.done)));
  };
  sentences.push_back(fmt::format("{} is gone with {}, nine tenths with {}.", protection,
                                  share(*half), share(*tenth)));
  return sentences;
}

std::vector<std::pair<std::string, std::string>> facts(const CampaignReport& campaign) {
  const CampaignRecord& record = campaign.record;
  const CampaignSummary& summary = campaign.summary;
  const auto of = [](const std::map<std::string, std::string>& map, const char* name) {
    const auto found = map.find(name);
    return found == map.end() ? std::string() : found->second;
  };
  std::vector<std::pair<std::string, std::string>> facts;
  const auto add = [&](const char* name, std::string value) {
    if (!value.empty()) facts.emplace_back(name, std::move(value));
  };
  add("Model", summary.model);
  std::string samples = fmt::format("{} of {}", grouped(static_cast<std::uint64_t>(record.samples)),
                                    of(record.info, "inputs"));
  if (const std::string labels = of(record.info, "labels"); !labels.empty()) {
    samples += ", labels " + labels;
  }
  if (const std::string targets = of(record.info, "targets"); !targets.empty()) {
    samples += ", targets " + targets;
  }
  add("Samples", samples);
  add("Fault model", of(record.fields, "faults"));
  std::string space = fmt::format("{} bits of {}", grouped(summary.space), of(record.fields, "in"));
  if (const std::string layers = of(record.fields, "layers"); !layers.empty()) {
    space += ", layers " + layers;
  }
  if (const std::string bits = of(record.fields, "bits"); !bits.empty()) space += ", bits " + bits;
  add("Fault space", space);
  add("Selection", of(record.info, "select"));
  add("Faults run", summary.done == summary.rows
                        ? grouped(summary.done)
                        : fmt::format("{} of {}", grouped(summary.done), grouped(summary.rows)));
  add("Score", summary.score_name);
  if (summary.golden_score) add("Golden score", number_text(*summary.golden_score));
  add("Critical", of(record.fields, "critical"));
  add("Earth mover's costs", of(record.info, "emd-cost"));
  add("Protected bits", of(record.info, "protect"));
  if (of(record.fields, "count-only-correct") == "yes") {
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
                              of(record.fields, "semantics")));
    add("Time", fmt::format("{}, up to {} threads", duration(seconds), threads));
  }
  return facts;
}

}  // namespace flipscope
