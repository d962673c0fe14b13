// What a campaign found, for a person and for a script.
#include "summary.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "flipscope/campaign/export.h"
#include "flipscope/numeric/error.h"
#include "json.h"
#include "terminal.h"

namespace flipscope::cli {

namespace {

constexpr int kBarWidth = 16;
constexpr std::size_t kGroups = 6;  // lines of layers, and of bits

/// A group's mean over its faults: the critical share, or the change of the score.
struct Group {
  std::string name;
  double sum = 0;
  double faults = 0;
  double mean() const { return faults > 0 ? sum / faults : 0; }
};

std::optional<double> harm(const RateRow& row, bool by_decision) {
  if (!by_decision) return row.mean_delta;
  return row.critical ? std::optional(row.critical->mean) : std::nullopt;
}

void add(std::vector<Group>& groups, const std::string& name, const RateRow& row, double value) {
  auto group = std::find_if(groups.begin(), groups.end(),
                            [&](const Group& other) { return other.name == name; });
  if (group == groups.end()) group = groups.insert(groups.end(), {name, 0, 0});
  // Strata are drawn in unequal shares, and count by what they stand for.
  const auto weight = static_cast<double>(row.population > 0 ? row.population : row.faults);
  group->sum += value * weight;
  group->faults += weight;
}

/// The worst groups, worst first, each as "name  bar value".
std::vector<std::string> worst(std::vector<Group> groups, bool by_decision) {
  std::stable_sort(groups.begin(), groups.end(), [](const Group& a, const Group& b) {
    return std::abs(a.mean()) > std::abs(b.mean());
  });
  if (groups.size() > kGroups) groups.resize(kGroups);
  double most = 0;
  std::size_t width = 0;
  for (const Group& group : groups) {
    most = std::max(most, std::abs(group.mean()));
    width = std::max(width, group.name.size());
  }
  std::vector<std::string> lines;
  for (const Group& group : groups) {
    const double share = most > 0 ? std::abs(group.mean()) / most : 0;
    lines.push_back(fmt::format("{:<{}}  {} {}", group.name, width, bar(share, kBarWidth),
                                by_decision ? percent(group.mean()) : number_text(group.mean())));
  }
  return lines;
}

/// Two lists side by side; empty where rows are trials of many bits, which have no one layer.
std::string by_layer_and_bit(const std::string& store, bool by_decision) {
  std::vector<Group> layers, bits;
  try {
    for (const RateRow& row : rates(store, Grouping::bit)) {
      const std::optional<double> value = harm(row, by_decision);
      if (!value || !std::isfinite(*value)) continue;
      add(layers, row.layer, row, *value);
      if (row.bit) add(bits, fmt::format("bit {}", *row.bit), row, *value);
    }
  } catch (const Error&) {
    return "";
  }
  if (layers.empty()) return "";
  const std::vector<std::string> left = worst(layers, by_decision);
  const std::vector<std::string> right = worst(bits, by_decision);
  const char* what = by_decision ? "critical" : "change of the score";
  Table table({fmt::format("{} by layer", what), "by bit (0 = least significant)"}, "ll");
  for (std::size_t i = 0; i < std::max(left.size(), right.size()); ++i) {
    table.row({i < left.size() ? left[i] : "", i < right.size() ? right[i] : ""});
  }
  return "\n" + table.text();
}

/// How the work was saved; empty where it was not.
std::string work_text(const WorkCounts& work) {
  if (work.pairs() == work.whole) return "";
  const auto share = [&](std::uint64_t count) {
    return percent(static_cast<double>(count) / static_cast<double>(work.pairs()));
  };
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
  lines += by_layer_and_bit(store, summary.critical.has_value());
  for (const std::string& note : summary.notes) lines += fmt::format("note: {}\n", note);
  if (summary.verified > 0) {
    lines += fmt::format("{} faults confirmed bit for bit by the reference interpreter\n",
                         grouped(static_cast<std::uint64_t>(summary.verified)));
  }
  const bool whole =
      summary.masked && summary.masked->interval.lower == summary.masked->interval.upper;
  lines += fmt::format("Rates are means over faults, on these samples, {}; seed {}.\n",
                       whole ? "with no sampling error: every fault was run"
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
                                 {"whole", summary.work.whole}})},
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
