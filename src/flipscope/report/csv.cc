// The report as one long table: a row for each number.
#include <algorithm>
#include <cmath>

#include "flipscope/model/csv_line.h"
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

  /// What the user wrote, number or not.
  void add_text(const char* section, const std::string& name, const std::string& value) {
    text_ +=
        fmt::format("{},{},,,,,,{},{},,\n", store_, section, csv_field(name), csv_field(value));
  }

  void add(const char* section, const FaultGroup& group) {
    const Place at{group.layer, group.part, group.bit ? std::to_string(*group.bit) : "",
                   group.from_msb ? std::to_string(*group.from_msb) : "", ""};
    add(section, at, "faults", static_cast<double>(group.faults));
    const std::pair<const char*, const Rate*> rates[] = {
        {"masked", group.masked ? &*group.masked : nullptr},
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
                   std::to_string(target.from_msb(site.index, site.bit)),
                   std::to_string(site.index)};
    rows.add("worst", at, "harm", faults.harm[r]);
    rows.add("worst", at, "delta", faults.delta[r]);
  }
  for (const Residual& residual : campaign.residuals) {
    rows.add("residual", {}, fmt::format("left_after_{}", residual.bits), residual.left);
  }
  WorkCounts work;
  for (const Session& session : campaign.sessions) work += session.work;
  for (const auto& [name, pairs] : {std::pair("unchanged", work.unchanged),
                                    {"remembered", work.remembered},
                                    {"tail", work.tail},
                                    {"whole", work.whole},
                                    {"proved", work.proved}}) {
    rows.add("work", {}, name, static_cast<double>(pairs));
  }
  for (const JudgedRanking& ranking : campaign.rankings) {
    if (ranking.evaluation) {
      rows.add("ranking", {}, fmt::format("{} spearman", ranking.name),
               ranking.evaluation->spearman);
      rows.add("ranking", {}, fmt::format("{} area", ranking.name), ranking.evaluation->area);
    }
    for (const auto& point : ranking.curve) {
      rows.add("ranking", {}, fmt::format("{} found_after_{}", ranking.name, point.flips),
               point.found);
    }
    for (const Reach& reach : ranking.top) {
      rows.add("ranking", {},
               fmt::format("{} flips_to_top_{}_percent", ranking.name, reach.percent),
               reach.flips ? static_cast<double>(*reach.flips) : NAN);
    }
  }
  return rows.text();
}

void add_plan(const ProtectionPlan& plan, Rows& rows) {
  const auto add = [&](const Place& at, const char* name, double value,
                       const std::optional<Interval>& interval = {}) {
    rows.add("plan", at, fmt::format("{} {}", plan.name, name), value, interval);
  };
  add({}, "bits", static_cast<double>(plan.bits));
  add({}, "area", plan.area);
  if (plan.left) add({}, "left", *plan.left);
  if (plan.error_left) add({}, "error_left", *plan.error_left);
  if (plan.foreseen) add({}, "foreseen", *plan.foreseen);
  if (plan.measured) {
    add({}, "measured", plan.measured->change.mean, plan.measured->change.interval);
  }
  for (const auto& layer : plan.layers) {
    const Place at{layer.layer, "", "", "", ""};
    add(at, "bits", static_cast<double>(layer.bits));
    add(at, "harm_share", layer.harm_share);
  }
}

std::string design_rows(const std::string& store, const DesignSpace& space, const Design& design) {
  Rows rows(store);
  if (!space.score.empty()) {
    rows.add("design", {}, "sensitive", design.sensitive.mean, design.sensitive.interval);
    if (design.to_guard) {
      rows.add("design", {}, "protected", static_cast<double>(*design.to_guard));
    }
    rows.add("design", {}, "pareto", design.on_front ? 1 : 0);
  }
  for (std::size_t k = 0; k < design.costs.size(); ++k) {
    rows.add_text("design", space.columns[k], design.costs[k]);
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
    for (const auto& channel : report.vulnerability->channels) {
      rows.add("vulnerability", {channel.layer, "", "", "", std::to_string(channel.channel)},
               fmt::format("{} cvf", channel.kind), channel.factor);
    }
    text += rows.text();
  }
  Rows first(report.campaigns.front().store);
  for (const auto& scores : report.slices.scores) {
    first.add("slice", {}, fmt::format("{} spearman", scores.heuristic), scores.spearman);
  }
  for (const ProtectionPlan& plan : report.plans) add_plan(plan, first);
  text += first.text();
  if (report.space) {
    for (std::size_t c = 0; c < report.campaigns.size(); ++c) {
      text += design_rows(report.campaigns[c].store, *report.space, report.space->designs[c]);
    }
  }
  return text;
}

}  // namespace flipscope
