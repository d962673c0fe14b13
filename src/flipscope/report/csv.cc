// The report as one long table: a row for each number.
#include <algorithm>
#include <cmath>

#include "flipscope/fault/fault_list.h"
#include "flipscope/numeric/error.h"
#include "flipscope/report/report.h"

namespace flipscope {
namespace {

/// Where a number belongs; what does not apply stays empty.
struct Place {
  std::string layer, part, bit, from_msb, index;
};

class Rows {
 public:
  explicit Rows(const std::string& store) : store_(csv_field(store)) {}

  void add(const char* section, const Place& at, const std::string& name, double value,
           const std::optional<Interval>& interval = {}) {
    text_ += fmt::format("{},{},{},{},{},{},{},{},{},{},{}\n", store_, section, csv_field(at.layer),
                         at.part, at.bit, at.from_msb, at.index, csv_field(name), number(value),
                         interval ? number(interval->lower) : "",
                         interval ? number(interval->upper) : "");
  }

  void add(const char* section, const FaultGroup& group) {
    const Place at{group.layer, group.part, group.bit ? std::to_string(*group.bit) : "",
                   group.from_msb ? std::to_string(*group.from_msb) : "", ""};
    add(section, at, "faults", static_cast<double>(group.faults));
    const std::pair<const char*, const Rate*> rates[] = {
        {"masked", &group.masked},
        {"non_critical", &group.non_critical},
        {"critical", group.critical ? &*group.critical : nullptr},
        {"due", &group.due},
        {"harmful", &group.harmful},
        {"harm", &group.harm}};
    for (const auto& [name, rate] : rates) {
      if (rate != nullptr) add(section, at, name, rate->mean, rate->interval);
    }
    add(section, at, "harm_share", group.harm_share);
    add(section, at, "mean_delta", group.mean_delta);
  }

  const std::string& text() const { return text_; }

 private:
  static std::string number(double value) {
    return std::isfinite(value) ? fmt::format("{}", value) : "";
  }

  std::string store_, text_;
};

std::string campaign_rows(const CampaignReport& campaign) {
  Rows rows(campaign.store);
  if (campaign.summary.golden_score)
    rows.add("run", {}, "golden_score", *campaign.summary.golden_score);
  rows.add("run", {}, "fault_space", static_cast<double>(campaign.summary.space));
  rows.add("run", {}, "samples", static_cast<double>(campaign.summary.samples));
  rows.add("all", campaign.all);
  for (const FaultGroup& group : campaign.layers) rows.add("layer", group);
  for (const FaultGroup& group : campaign.positions) rows.add("position", group);
  for (const FaultGroup& group : campaign.cells) rows.add("cell", group);
  constexpr std::size_t kWorst = 100;
  const FaultColumns& faults = campaign.faults;
  for (std::size_t i = 0; i < std::min(kWorst, campaign.worst.size()); ++i) {
    const std::uint32_t r = campaign.worst[i];
    const FaultSite& site = faults.site[r];
    const FaultTarget& target = campaign.record.targets[static_cast<std::size_t>(site.target)];
    const Place at{target.layer, std::string(to_string(target.part)), std::to_string(site.bit),
                   std::to_string(target.encoding.format.bits - 1 - site.bit),
                   std::to_string(site.index)};
    rows.add("worst", at, "harm", faults.harm[r]);
    rows.add("worst", at, "delta", faults.delta[r]);
  }
  for (const Residual& residual : campaign.residuals) {
    rows.add("residual", {}, fmt::format("left_after_{}", residual.bits), residual.left);
  }
  for (const JudgedRanking& ranking : campaign.rankings) {
    if (!ranking.evaluation) continue;
    rows.add("ranking", {}, fmt::format("{} spearman", ranking.name), ranking.evaluation->spearman);
    rows.add("ranking", {}, fmt::format("{} area", ranking.name), ranking.evaluation->area);
    for (const Reach& reach : ranking.top) {
      rows.add("ranking", {},
               fmt::format("{} flips_to_top_{}_percent", ranking.name, reach.percent),
               reach.flips ? static_cast<double>(*reach.flips) : NAN);
    }
  }
  return rows.text();
}

}  // namespace

std::string csv(const Report& report) {
  std::string text = "store,section,layer,part,bit,from_msb,index,name,value,lower,upper\n";
  for (const CampaignReport& campaign : report.campaigns) text += campaign_rows(campaign);
  if (report.vulnerability) {
    Rows rows(report.vulnerability->folder);
    for (const auto& layer : report.vulnerability->layers) {
      rows.add("vulnerability", {layer.layer, "", "", "", ""}, fmt::format("{} lvf", layer.kind),
               layer.factor.mean, layer.factor.interval);
    }
    for (const auto& network : report.vulnerability->networks) {
      rows.add("vulnerability", {}, fmt::format("{} mvf", network.kind), network.factor.mean,
               network.factor.interval);
    }
    text += rows.text();
  }
  Rows slices(report.campaigns.front().store);
  for (const auto& scores : report.slices.scores) {
    slices.add("slice", {}, fmt::format("{} spearman", scores.heuristic), scores.spearman);
  }
  return text + slices.text();
}

}  // namespace flipscope
