// The report as JSON, by nlohmann-json.
#include <cmath>
#include <nlohmann/json.hpp>

#include "flipscope/analysis/protection.h"
#include "flipscope/numeric/error.h"
#include "flipscope/report/report.h"

namespace flipscope {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kListed = 100;  // bits listed one by one

Json number(double value) {
  return std::isfinite(value) ? Json(value) : Json();
}

Json rate_json(const Rate& rate) {
  return {{"mean", number(rate.mean)},
          {"lower", number(rate.interval.lower)},
          {"upper", number(rate.interval.upper)}};
}

template <typename T>
Json optional_json(const std::optional<T>& value) {
  return value ? Json(*value) : Json();
}

Json group_json(const FaultGroup& group) {
  Json json;
  if (!group.layer.empty()) json = {{"layer", group.layer}, {"part", group.part}};
  if (group.from_msb) {
    json["bit"] = optional_json(group.bit);
    json["from_msb"] = *group.from_msb;
  }
  json["faults"] = group.faults;
  json["population"] = group.population;
  json["masked"] = group.masked ? rate_json(*group.masked) : Json();
  json["non_critical"] = rate_json(group.non_critical);
  json["critical"] = group.critical ? rate_json(*group.critical) : Json();
  json["due"] = rate_json(group.due);
  json["harmful"] = rate_json(group.harmful);
  json["harm"] = rate_json(group.harm);
  json["harm_share"] = number(group.harm_share);
  json["mean_delta"] = number(group.mean_delta);
  return json;
}

Json groups_json(const std::vector<FaultGroup>& groups) {
  Json json = Json::array();
  for (const FaultGroup& group : groups) json.push_back(group_json(group));
  return json;
}

Json targets_json(const CampaignRecord& record) {
  Json json = Json::array();
  for (std::size_t t = 0; t < record.targets.size(); ++t) {
    const FaultTarget& target = record.targets[t];
    json.push_back({{"layer", target.layer},
                    {"part", std::string(to_string(target.part))},
                    {"tensor", target.tensor},
                    {"shape", target.shape},
                    {"elements", target.elements},
                    {"format", record.formats[t]},
                    {"width", target.widths().back().width},
                    {"bits", target.bits}});
    if (target.encoding.elements.empty()) continue;
    std::vector<int> widths;
    for (const ElementBits& element : target.encoding.elements) widths.push_back(element.count);
    json.back()["widths"] = widths;
  }
  return json;
}

Json worst_json(const CampaignReport& campaign) {
  const FaultColumns& faults = campaign.faults;
  Json json = Json::array();
  for (const std::uint32_t r : campaign.worst) {
    if (json.size() == kListed) break;
    const FaultTarget& target =
        campaign.record.targets[static_cast<std::size_t>(faults.site[r].target)];
    json.push_back({{"fault", faults.fault[r]},
                    {"layer", target.layer},
                    {"tensor", target.tensor},
                    {"index", faults.site[r].index},
                    {"bit", faults.site[r].bit},
                    {"from_msb", target.from_msb(faults.site[r].index, faults.site[r].bit)},
                    {"golden", number(faults.golden[r])},
                    {"faulty", number(faults.faulty[r])},
                    {"critical", faults.critical[r]},
                    {"due", faults.due[r]},
                    {"delta", number(faults.delta[r])},
                    {"harm", number(faults.harm[r])}});
  }
  return json;
}

Json rankings_json(const std::vector<JudgedRanking>& rankings) {
  Json json = Json::array();
  for (const JudgedRanking& ranking : rankings) {
    Json one = {{"name", ranking.name}};
    if (const auto& e = ranking.evaluation) {
      one["bits"] = e->ranked;
      one["spearman"] = number(e->spearman);
      one["area"] = number(e->area);
      one["flips_to_90_percent_of_sensitive"] = optional_json(e->flips_to_sensitive);
    }
    one["top"] = Json::array();
    for (const Reach& reach : ranking.top) {
      one["top"].push_back({{"percent", reach.percent},
                            {"bits", reach.bits},
                            {"flips", optional_json(reach.flips)}});
    }
    one["curve"] = Json::array();
    for (const auto& point : ranking.curve) one["curve"].push_back({point.flips, point.found});
    json.push_back(std::move(one));
  }
  return json;
}

Json work_json(const std::vector<Session>& sessions) {
  WorkCounts work;
  double seconds = 0;
  for (const Session& session : sessions) {
    work += session.work;
    seconds += session.seconds;
  }
  if (work.pairs() == 0) return {};
  return {{"pairs", work.pairs()}, {"unchanged", work.unchanged}, {"remembered", work.remembered},
          {"tail", work.tail},     {"whole", work.whole},         {"proved", work.proved},
          {"seconds", seconds}};
}

Json campaign_json(const CampaignReport& campaign) {
  const CampaignSummary& summary = campaign.summary;
  Json residuals = Json::array();
  for (const Residual& residual : campaign.residuals) {
    residuals.push_back({{"bits", residual.bits}, {"left", residual.left}});
  }
  Json json = {{"name", campaign.name},
               {"store", campaign.store},
               {"identity", summary.identity},
               {"model", summary.model},
               {"seed", summary.seed},
               {"fault_space", summary.space},
               {"faults", summary.rows},
               {"done", summary.done},
               {"samples", summary.samples},
               {"score", summary.score_name},
               {"golden_score", summary.golden_score ? number(*summary.golden_score) : Json()},
               {"exhaustive", campaign.is_exhaustive()},
               {"sample", campaign.record.is_sample()},
               {"trials", campaign.record.trials},
               {"by_decision", campaign.by_decision()},
               {"confidence", summary.confidence},
               {"notes", summary.notes},
               {"answer", answer(campaign)},
               {"facts", facts(campaign)},
               {"targets", targets_json(campaign.record)},
               {"all", group_json(campaign.all)},
               {"layers", groups_json(campaign.layers)},
               {"positions", groups_json(campaign.positions)},
               {"cells", groups_json(campaign.cells)},
               {"worst", worst_json(campaign)},
               {"residuals", std::move(residuals)},
               {"work", work_json(campaign.sessions)},
               {"rankings", rankings_json(campaign.rankings)}};
  return json;
}

Json vulnerability_json(const VulnerabilityReport& report) {
  Json json = {{"folder", report.folder}, {"candidates", report.candidates}};
  json["networks"] = Json::array();
  for (const auto& network : report.networks) {
    json["networks"].push_back({{"kind", network.kind}, {"mvf", rate_json(network.factor)}});
  }
  json["layers"] = Json::array();
  for (const auto& layer : report.layers) {
    json["layers"].push_back({{"kind", layer.kind},
                              {"layer", layer.layer},
                              {"channels", layer.channels},
                              {"drawn", layer.drawn},
                              {"lvf", rate_json(layer.factor)}});
  }
  json["channels"] = Json::array();
  for (const auto& channel : report.channels) {
    json["channels"].push_back({{"kind", channel.kind},
                                {"layer", channel.layer},
                                {"channel", channel.channel},
                                {"cvf", number(channel.factor)}});
  }
  json["targets"] = Json::array();
  for (const auto& target : report.targets) {
    json["targets"].push_back({{"kind", target.kind},
                               {"layer", target.layer},
                               {"channel", target.channel},
                               {"element", optional_json(target.element)},
                               {"vf", number(target.factor)},
                               {"faults", target.faults},
                               {"counts", target.counts},
                               {"vulnerable", target.vulnerable}});
  }
  return json;
}

/// Four digits are more than a picture shows.
Json coordinates(const std::vector<double>& values) {
  Json json = Json::array();
  for (const double value : values)
    json.push_back(std::isfinite(value) ? Json::parse(fmt::format("{:.4g}", value)) : Json());
  return json;
}

Json slices_json(const SliceReport& slices) {
  Json json = {{"pictures", Json::array()}, {"scores", Json::array()}};
  for (const auto& picture : slices.pictures) {
    Json names = Json::object();
    for (const auto& [fault, name] : picture.names) names[std::to_string(fault)] = name;
    json["pictures"].push_back({{"slice", picture.slice},
                                {"variance_shown", number(picture.variance_shown)},
                                {"kind", picture.kind},
                                {"class", picture.label},
                                {"fault", picture.fault},
                                {"x", coordinates(picture.x)},
                                {"y", coordinates(picture.y)},
                                {"names", std::move(names)}});
  }
  for (const auto& scores : slices.scores) {
    json["scores"].push_back({{"heuristic", scores.heuristic},
                              {"spearman", number(scores.spearman)},
                              {"faults", scores.faults},
                              {"score", coordinates(scores.score)},
                              {"change", coordinates(scores.change)}});
  }
  return json;
}

Json plans_json(const std::vector<ProtectionPlan>& plans) {
  Json json = Json::array();
  for (const ProtectionPlan& plan : plans) {
    Json one = {{"name", plan.name},
                {"bits", plan.bits},
                {"run", optional_json(plan.run)},
                {"area", plan.area},
                {"left", plan.left ? number(*plan.left) : Json()},
                {"error_left", plan.error_left ? number(*plan.error_left) : Json()},
                {"foreseen", plan.foreseen ? number(*plan.foreseen) : Json()},
                {"measured", Json()},
                {"layers", Json::array()}};
    if (const auto& trials = plan.measured) {
      one["measured"] = {{"trial", trials->model},
                         {"trials", trials->count},
                         {"worse", trials->worse},
                         {"change", rate_json(trials->change)}};
    }
    for (const auto& layer : plan.layers) {
      one["layers"].push_back(
          {{"layer", layer.layer}, {"bits", layer.bits}, {"harm_share", layer.harm_share}});
    }
    json.push_back(std::move(one));
  }
  return json;
}

Json space_json(const DesignSpace& space) {
  Json json = {{"score", space.score.empty() ? Json() : Json(space.score)},
               {"residual", space.residual},
               {"columns", space.columns},
               {"designs", Json::array()}};
  for (const Design& design : space.designs) {
    Json one = {{"name", design.name}, {"costs", design.costs}};
    if (!space.score.empty()) {
      one["sensitive"] = rate_json(design.sensitive);
      one["protected"] = optional_json(design.to_guard);
      one["pareto"] = design.on_front;
    }
    json["designs"].push_back(std::move(one));
  }
  return json;
}

}  // namespace

std::string json(const Report& report) {
  Json campaigns = Json::array();
  for (const CampaignReport& campaign : report.campaigns) {
    campaigns.push_back(campaign_json(campaign));
  }
  const Json all = {
      {"flipscope", report.version},
      {"seed", report.seed},
      {"protection_cost", ProtectionCost{}.per_bit()},
      {"campaigns", std::move(campaigns)},
      {"vulnerability", report.vulnerability ? vulnerability_json(*report.vulnerability) : Json()},
      {"slices", slices_json(report.slices)},
      {"plans", plans_json(report.plans)},
      {"design_space", report.space ? space_json(*report.space) : Json()}};
  return all.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace flipscope
