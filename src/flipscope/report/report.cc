// Puts a report together.
#include "flipscope/report/report.h"

#include <algorithm>
#include <filesystem>
#include <set>

#include "flipscope/numeric/error.h"
#include "flipscope/report/judged_rankings.h"

namespace flipscope {
namespace {

/// Campaigns of the same model are told apart by their stores.
void name_apart(std::vector<CampaignReport>& campaigns) {
  std::multiset<std::string> names;
  for (const CampaignReport& campaign : campaigns) names.insert(campaign.name);
  for (CampaignReport& campaign : campaigns) {
    if (names.count(campaign.name) == 1) continue;
    campaign.name += " · " + std::filesystem::path(campaign.store).stem().string();
  }
}

/// Single faults, scored alike: what such networks cost can be compared.
bool are_alike(const std::vector<CampaignReport>& campaigns) {
  return std::ranges::all_of(campaigns, [&](const CampaignReport& campaign) {
    return !campaign.record.trials &&
           campaign.record.fields.at("score") == campaigns.front().record.fields.at("score");
  });
}

DesignSpace compare(const ReportSources& sources, const std::vector<CampaignReport>& campaigns) {
  const CostTable costs = sources.costs.empty() ? CostTable{} : read_costs(sources.costs);
  const bool alike = are_alike(campaigns);
  DesignSpace space{.columns = costs.columns};
  for (const CampaignReport& campaign : campaigns) {
    Design design{.name = std::filesystem::path(campaign.store).stem().string(),
                  .model = campaign.summary.model};
    if (alike) design = read_design(campaign.store, space.score);
    if (!costs.columns.empty()) {
      design.costs = costs_of(costs, sources.costs, design.name, design.model);
    }
    space.designs.push_back(std::move(design));
  }
  if (alike) {
    set_protection(space.designs, space.residual);
    mark_front(space.designs, space.score);
  }
  return space;
}

}  // namespace

Report make_report(const ReportSources& sources) {
  if (sources.stores.empty()) fail("report", "there is nothing to report: name a store");
  Report report;
  report.version = FLIPSCOPE_VERSION;
  std::set<std::string> seen;
  for (const std::string& store : sources.stores) {
    if (!seen.insert(store).second) fail("report", "{} is named twice", store);
    report.campaigns.push_back(read_campaign(store));
  }
  name_apart(report.campaigns);
  if (!sources.rankings.empty()) {
    report.campaigns.front().rankings = judge_rankings(sources.stores.front(), sources.rankings);
  }
  if (!sources.vulnerability.empty()) {
    report.vulnerability = read_vulnerability(sources.vulnerability);
  }
  report.plans = read_plans(sources.plans, report.campaigns.front());
  if (report.campaigns.size() > 1) {
    report.space = compare(sources, report.campaigns);
  } else if (!sources.costs.empty()) {
    fail("report", "--costs {} compares networks: name two stores or more", sources.costs);
  }
  report.slices = read_slices(sources.slices, report.campaigns.front());
  return report;
}

}  // namespace flipscope
