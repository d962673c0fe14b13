// What a campaign found, for a person and for a script.
#include "summary.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "flipscope/numeric/error.h"
#include "flipscope/report/campaign_report.h"
#include "json.h"
#include "terminal.h"

namespace flipscope::cli {

namespace {

constexpr int kBarWidth = 16;
constexpr std::size_t kGroups = 6;  // lines of layers, and of bits

/// The groups that do most harm, worst first, each as "name  bar value".
std::vector<std::string> worst(std::vector<FaultGroup> groups, bool by_decision,
                               const std::function<std::string(const FaultGroup&)>& name) {
  std::ranges::stable_sort(groups, std::greater(),
                           [](const FaultGroup& group) { return group.harm.mean; });
  if (groups.size() > kGroups) groups.resize(kGroups);
  std::size_t width = 0;
  for (const FaultGroup& group : groups) width = std::max(width, name(group).size());
  std::vector<std::string> lines;
  for (const FaultGroup& group : groups) {
    const double most = groups.front().harm.mean;
    lines.push_back(fmt::format(
        "{:<{}}  {} {}", name(group), width, bar(most > 0 ? group.harm.mean / most : 0, kBarWidth),
        by_decision ? percent(group.harm.mean) : number_text(group.harm.mean)));
  }
  return lines;
}

/// Two lists side by side, and what protection would do; empty where rows are trials of many bits,
/// which have no one layer.
std::string where_the_harm_is(const CampaignReport& report) {
  if (report.layers.empty()) return "";
  const bool by_decision = report.by_decision();
  const auto layer_name = [](const FaultGroup& group) {
    return group.part == "weights" ? group.layer : fmt::format("{} {}", group.layer, group.part);
  };
  const auto position_name = [](const FaultGroup& group) {
    return group.bit ? fmt::format("bit {}", *group.bit) : fmt::format("MSB - {}", *group.from_msb);
  };
  const std::vector<std::string> left = worst(report.layers, by_decision, layer_name);
  const std::vector<std::string> right = worst(report.positions, by_decision, position_name);
  Table table(
      {by_decision ? "critical or DUE, by layer"
                   : fmt::format("the {} gets worse by, by layer", report.summary.score_name),
       "by bit (0 = least significant)"},
      "ll");
  for (std::size_t i = 0; i < std::max(left.size(), right.size()); ++i) {
    table.row({i < left.size() ? left[i] : "", i < right.size() ? right[i] : ""});
  }
  return fmt::format("\n{}{}\n", table.text(), answer(report).back());
}

/// How the work was saved; empty where it was not.
std::string work_text(const WorkCounts& work) {
  if (work.pairs() == work.whole) return "";
  const auto share = [&](std::uint64_t count) {
    return percent(static_cast<double>(count) / static_cast<double>(work.pairs()));
  };
  if (work.proved > 0) {
    const std::uint64_t known = work.unchanged + work.remembered;
    return fmt::format(
        "Of {} (fault, sample) pairs, {} were proved too small to change the decision{}; {} ran.\n",
        grouped(work.pairs()), share(work.proved),
        known > 0 ? fmt::format(", {} had known codes at the network's bottleneck", share(known))
                  : "",
        share(work.tail + work.whole));
  }
  return fmt::format(
      "Of {} (fault, sample) pairs, {} kept the golden codes at the network's bottleneck, {} had "
      "codes seen before, {} ran on from there; {} ran whole.\n",
      grouped(work.pairs()), share(work.unchanged), share(work.remembered), share(work.tail),
      share(work.whole));
}

}  // namespace

std::string summary_text(const CampaignSummary& summary, const std::string& store) {
  std::string lines =
      fmt::format("{}: {} of {} faults on {} samples", summary.model, grouped(summary.done),
                  grouped(summary.rows), grouped(static_cast<std::uint64_t>(summary.samples)));
  if (summary.run_now > 0) {
    lines += fmt::format(", {} of them now in {} ({} faults/s)", grouped(summary.run_now),
                         duration(summary.seconds),
                         number_text(std::round(static_cast<double>(summary.run_now) /
                                                std::max(summary.seconds, 1e-3))));
  }
  lines += "\n";
  lines += work_text(summary.work);
  if (summary.golden_score) {
    lines += fmt::format("{} of the golden run: {}\n", summary.score_name,
                         number_text(*summary.golden_score));
  }
  const std::pair<const char*, const std::optional<Rate>&> outcomes[] = {
      {"masked", summary.masked},
      {"non-critical", summary.non_critical},
      {"critical", summary.critical},
      {"DUE", summary.due}};
  for (const auto& [name, rate] : outcomes) {
    if (!rate) continue;
    lines += fmt::format("  {:<12}  {} {}\n", name, bar(rate->mean, kBarWidth), rate_text(*rate));
  }
  if (summary.done > 0) lines += where_the_harm_is(read_campaign(store));
  for (const std::string& note : summary.notes) lines += fmt::format("note: {}\n", note);
  if (summary.verified > 0) {
    lines += fmt::format("{} faults confirmed bit for bit by the reference interpreter\n",
                         grouped(static_cast<std::uint64_t>(summary.verified)));
  }
  const bool whole = summary.due && summary.due->interval.lower == summary.due->interval.upper;
  lines +=
      fmt::format("Rates are means over faults, on these samples, {}; seed {}.\n",
                  !summary.is_sample ? "of these faults alone: they are no sample of the network's"
                  : whole            ? "with no sampling error: every fault was run"
                          : fmt::format("with {:g}% Wilson intervals", 100 * summary.confidence),
                  summary.seed);
  return lines;
}

std::string summary_json(const CampaignSummary& summary, const std::string& store,
                         std::optional<bool> broken) {
  Json::Object json = {
      {"store", store},
      {"identity", summary.identity},
      {"model", summary.model},
      {"seed", summary.seed},
      {"fault_space", summary.space},
      {"faults", summary.rows},
      {"wanted", summary.wanted},
      {"done", summary.done},
      {"run_now", summary.run_now},
      {"work", Json(Json::Object{{"unchanged", summary.work.unchanged},
                                 {"remembered", summary.work.remembered},
                                 {"tail", summary.work.tail},
                                 {"whole", summary.work.whole},
                                 {"proved", summary.work.proved}})},
      {"samples", summary.samples},
      {"score", summary.score_name},
      {"golden_score", Json(summary.golden_score)},
      {"masked", Json(summary.masked)},
      {"non_critical", Json(summary.non_critical)},
      {"critical", Json(summary.critical)},
      {"due", Json(summary.due)},
      {"confidence", summary.confidence},
      {"seconds", summary.seconds},
      {"interrupted", summary.interrupted},
      {"verified", summary.verified},
      {"notes", Json(summary.notes)},
  };
  if (broken) json.emplace_back("bar_holds", !*broken);
  return text(json);
}

}  // namespace flipscope::cli
