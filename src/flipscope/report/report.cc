// Puts a report together.
#include "flipscope/report/report.h"

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
  report.slices = read_slices(sources.slices, report.campaigns.front());
  return report;
}

}  // namespace flipscope
