// The report as Markdown, for pull requests.
#include <algorithm>
#include <cmath>

#include "flipscope/numeric/error.h"
#include "flipscope/report/report.h"
#include "flipscope/report/words.h"

namespace flipscope {
namespace {

constexpr std::size_t kRows = 20;
constexpr int kBar = 10;

/// Text as it is, in a table's cell too: no tag, bar or line break begins in it.
std::string cell(const std::string& text) {
  std::string plain;
  for (const char c : text) {
    if (c == '<') {
      plain += "&lt;";
    } else if (c == '|') {
      plain += "\\|";
    } else {
      plain += c == '\n' || c == '\r' ? ' ' : c;
    }
  }
  return plain;
}

std::string layer_name(const FaultGroup& group) {
  return cell(group.layer + (group.part == "weights" ? "" : " (" + group.part + ")"));
}

std::string group_table(const CampaignReport& campaign, const std::vector<FaultGroup>& groups,
                        bool by_layer) {
  double most = 0;
  for (const FaultGroup& group : groups) most = std::max(most, group.harm.mean);
  std::string text = fmt::format(
      "| {} | | harm per flip | bits that do harm | share of all harm | faults |\n"
      "| --- | --- | ---: | ---: | ---: | ---: |\n",
      by_layer ? "layer" : "bit");
  for (const FaultGroup& group : groups) {
    const std::string name = by_layer    ? layer_name(group)
                             : group.bit ? fmt::format("{}", *group.bit)
                                         : fmt::format("MSB − {}", *group.from_msb);
    text += fmt::format("| {} | `{}` | {} | {} | {} | {} |\n", name,
                        bar(most > 0 ? group.harm.mean / most : 0, kBar),
                        harm_text(campaign, group.harm), rate_text(group.harmful),
                        percent(group.harm_share), grouped(group.faults));
  }
  return text + "\n";
}

std::string outcome_table(const CampaignReport& campaign) {
  std::string text =
      "| layer | masked | non-critical | critical | DUE |\n| --- | ---: | ---: | ---: | ---: |\n";
  for (const FaultGroup& group : campaign.layers) {
    text += fmt::format("| {} | {} | {} | {} | {} |\n", layer_name(group),
                        group.masked ? rate_text(*group.masked) : "", rate_text(group.non_critical),
                        group.critical ? rate_text(*group.critical) : "", rate_text(group.due));
  }
  return text + "\n";
}

std::string worst_table(const CampaignReport& campaign) {
  std::string text =
      "| layer | index | bit | stored value | after the flip | harm | change of score |\n"
      "| --- | ---: | ---: | ---: | ---: | ---: | ---: |\n";
  const FaultColumns& faults = campaign.faults;
  for (std::size_t i = 0; i < std::min(kRows, campaign.worst.size()); ++i) {
    const std::uint32_t r = campaign.worst[i];
    const FaultSite& site = faults.site[r];
    text += fmt::format(
        "| {} | {} | {} | {} | {} | {} | {} |\n",
        cell(campaign.record.targets[static_cast<std::size_t>(site.target)].layer), site.index,
        site.bit, number_text(faults.golden[r]), number_text(faults.faulty[r]),
        campaign.by_decision() ? percent(faults.harm[r]) : number_text(faults.harm[r]),
        number_text(faults.delta[r]));
  }
  return text + "\n";
}

std::string rankings_table(const std::vector<JudgedRanking>& rankings) {
  std::string text =
      "| ranking | Spearman's ρ | area | top 1% found after | top 5% | top 20% |\n"
      "| --- | ---: | ---: | ---: | ---: | ---: |\n";
  for (const JudgedRanking& ranking : rankings) {
    if (!ranking.evaluation) continue;
    const Evaluation& e = *ranking.evaluation;
    text += fmt::format("| {} | {} | {:.4f} |", cell(ranking.name),
                        std::isnan(e.spearman) ? "" : fmt::format("{:.3f}", e.spearman), e.area);
    for (const double percent : {1.0, 5.0, 20.0}) {
      const auto reach = std::ranges::find(ranking.top, percent, &Reach::percent);
      text += fmt::format(" {} |", reach->flips ? grouped(*reach->flips) : "never");
    }
    text += "\n";
  }
  return text + "\n";
}

std::string design_table(const Report& report) {
  const DesignSpace& space = *report.space;
  const bool alike = !space.score.empty();
  std::vector<std::string> header{"network",           "bits",
                                  "golden score",      "harm per flip",
                                  "bits that do harm", "bits for half of the harm"};
  if (alike) header.emplace_back("bits to protect");
  for (const std::string& column : space.columns) header.push_back(cell(column));
  if (alike) header.emplace_back("Pareto");
  std::string text = fmt::format("| {} |\n| ---", fmt::join(header, " | "));
  for (std::size_t k = 1; k < header.size(); ++k) text += " | ---:";
  text += " |\n";
  for (std::size_t c = 0; c < report.campaigns.size(); ++c) {
    const CampaignReport& campaign = report.campaigns[c];
    const Design& design = space.designs[c];
    const auto half = campaign.is_exhaustive() ? bits_to_leave(campaign, 0.5) : std::nullopt;
    text += fmt::format("| {} | {} | {} {} | {} | {} | {} |", cell(campaign.name),
                        grouped(campaign.summary.space),
                        number_text(campaign.summary.golden_score.value_or(0)),
                        campaign.summary.score_name, harm_text(campaign, campaign.all.harm),
                        rate_text(campaign.all.harmful), half ? grouped(*half) : "");
    if (alike) text += fmt::format(" {} |", design.to_guard ? grouped(*design.to_guard) : "");
    for (const std::string& cost : design.costs) text += fmt::format(" {} |", cell(cost));
    text += alike ? (design.on_front ? " yes |\n" : " |\n") : "\n";
  }
  if (!alike) return text + "\n";
  return text + fmt::format(
                    "\nBits to protect leave every network with the same error: {} of the least "
                    "that any has without protection. Pareto: no other network is better in bits, "
                    "score, bits to protect and the columns given, lower being better.\n\n",
                    percent(space.residual));
}

std::string plans_section(const std::vector<ProtectionPlan>& plans) {
  std::string text =
      "## Plans\n\n| plan | bits | area added | harm left | score error left | change foreseen | "
      "change measured "
      "|\n| --- | ---: | ---: | ---: | ---: | ---: | ---: |\n";
  for (const ProtectionPlan& plan : plans) {
    text += fmt::format("| {} | {} | {} | {} | {} | {} | ", cell(plan.name), grouped(plan.bits),
                        percent(plan.area), plan.left ? percent(*plan.left) : "",
                        plan.error_left ? percent(*plan.error_left) : "",
                        plan.foreseen ? number_text(*plan.foreseen) : "");
    if (const auto& trials = plan.measured) {
      text += fmt::format("{} ({} to {}), {} trials of {}", number_text(trials->change.mean),
                          number_text(trials->change.interval.lower),
                          number_text(trials->change.interval.upper), grouped(trials->count),
                          cell(trials->model));
    }
    text += " |\n";
  }
  for (const ProtectionPlan& plan : plans) {
    if (plan.layers.empty()) continue;
    text += fmt::format(
        "\n### {}, by layer\n\n| layer | bits | share of all harm |\n| --- | ---: | ---: |\n",
        cell(plan.name));
    for (const auto& layer : plan.layers) {
      text += fmt::format("| {} | {} | {} |\n", cell(layer.layer), grouped(layer.bits),
                          percent(layer.harm_share));
    }
  }
  return text + "\n";
}

std::string saved_text(const std::vector<Session>& sessions) {
  WorkCounts work;
  for (const Session& session : sessions) work += session.work;
  if (work.whole == work.pairs()) return "";
  const auto share = [&](std::uint64_t pairs) {
    return percent(static_cast<double>(pairs) / static_cast<double>(work.pairs()));
  };
  if (work.proved > 0) {
    return fmt::format(
        "### How the time was saved\n\nOf {} pairs of a fault and a sample {} were proved too "
        "small "
        "to change the decision; {} had known codes at the network's narrowest point, {} were "
        "run.\n\n",
        grouped(work.pairs()), share(work.proved), share(work.unchanged + work.remembered),
        share(work.tail + work.whole));
  }
  return fmt::format(
      "### How the time was saved\n\nOf {} pairs of a fault and a sample {} kept the golden codes "
      "at the network's narrowest point, {} had codes seen before, {} were run from there on, {} "
      "from the fault to the output.\n\n",
      grouped(work.pairs()), share(work.unchanged), share(work.remembered), share(work.tail),
      share(work.whole));
}

std::string campaign_section(const CampaignReport& campaign) {
  std::string text = fmt::format("## {}\n\n", cell(campaign.name));
  for (const std::string& sentence : answer(campaign)) text += cell(sentence) + "\n";
  for (const std::string& note : campaign.summary.notes) text += "Note: " + note + "\n";
  if (!campaign.layers.empty()) {
    text += "\n### By layer\n\n" + group_table(campaign, campaign.layers, true);
    text += "### By bit position\n\n" + group_table(campaign, campaign.positions, false);
    text += "### Outcomes by layer\n\n" + outcome_table(campaign);
  }
  if (!campaign.worst.empty()) text += "### Most critical bits\n\n" + worst_table(campaign);
  if (!campaign.residuals.empty()) {
    text += fmt::format(
        "### What protection leaves{}\n\n| worst bits protected | harm left |\n| ---: | ---: |\n",
        campaign.is_exhaustive() ? "" : " of the harm of the faults that were run");
    for (const Residual& residual : campaign.residuals) {
      text += fmt::format("| {} | {} |\n", grouped(residual.bits), percent(residual.left));
    }
    text += "\n";
  }
  if (!campaign.rankings.empty()) text += "### Rankings\n\n" + rankings_table(campaign.rankings);
  text += saved_text(campaign.sessions);
  text += "### What was run\n\n| | |\n| --- | --- |\n";
  for (const auto& [name, value] : facts(campaign)) {
    text += fmt::format("| {} | {} |\n", name, cell(value));
  }
  return text + "\n";
}

std::string vulnerability_section(const VulnerabilityReport& report) {
  std::string text =
      "## Vulnerability factors\n\n| faults in | layer | channels | LVF |\n| --- | --- | ---: | "
      "---: "
      "|\n";
  for (const auto& layer : report.layers) {
    text += fmt::format("| {} | {} | {} of {} | {} |\n", layer.kind, cell(layer.layer), layer.drawn,
                        layer.channels, rate_text(layer.factor));
  }
  for (const auto& network : report.networks) {
    text += fmt::format("| {} | all: MVF | | {} |\n", network.kind, rate_text(network.factor));
  }
  return text + "\n";
}

std::string slices_section(const SliceReport& slices) {
  std::string text =
      "## Slice heuristics\n\n| heuristic | faults | Spearman's ρ with the change of score |\n| "
      "--- "
      "| ---: | ---: |\n";
  for (const auto& scores : slices.scores) {
    text += fmt::format("| {} | {} | {} |\n", cell(scores.heuristic), grouped(scores.faults),
                        std::isnan(scores.spearman) ? "" : fmt::format("{:.3f}", scores.spearman));
  }
  return text + "\n";
}

}  // namespace

std::string markdown(const Report& report) {
  std::string text = "# Which bits matter\n\n";
  if (report.space) text += "## Networks side by side\n\n" + design_table(report);
  for (const CampaignReport& campaign : report.campaigns) text += campaign_section(campaign);
  if (!report.plans.empty()) text += plans_section(report.plans);
  if (report.vulnerability) text += vulnerability_section(*report.vulnerability);
  if (!report.slices.scores.empty()) text += slices_section(report.slices);
  return text +
         fmt::format(
             "Harm of a flip: the share of samples on which the decision changes or the output is "
             "no number; for a score without decisions, how much worse it gets. Intervals are "
             "{:.0f}%, over faults, on these samples; none is given where every fault was run. "
             "Flipscope {}.\n",
             100 * report.campaigns.front().summary.confidence, report.version);
}

}  // namespace flipscope
