// The report on one campaign or several: one value, and the four texts that say it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "flipscope/report/campaign_report.h"
#include "flipscope/report/design_space.h"
#include "flipscope/report/protection_plan.h"
#include "flipscope/report/slice_report.h"
#include "flipscope/report/vulnerability_report.h"

namespace flipscope {

struct ReportSources {
  std::vector<std::string> stores;
  /// Rankings or fault lists, or curves that `evaluate --out` wrote; they are judged by the first
  /// store, which then must hold every fault of its space.
  std::vector<std::string> rankings;
  std::string vulnerability;  ///< the folder of `vulnerability --out`; empty: none
  /// Files of `slice --out` and `slice --scatter`; scores are compared with the first store.
  std::vector<std::string> slices;
  std::vector<std::string> plans;  ///< what `protect` wrote; judged by the first store
  std::string costs;               ///< columns of several stores; empty: none
};

/// Networks side by side.
struct DesignSpace {
  std::string score;      ///< that all have in common; empty: they have not, and are not ranked
  double residual = 0.1;  ///< error left to all, as a share of the least that any has
  std::vector<std::string> columns;  ///< of costs, the user's
  std::vector<Design> designs;       ///< [campaign]; of different scores only their costs are known
};

struct Report {
  std::string version;     ///< of the program that writes it
  std::uint64_t seed = 0;  ///< that it was asked for with
  std::vector<CampaignReport> campaigns;
  std::optional<VulnerabilityReport> vulnerability;
  SliceReport slices;
  std::vector<ProtectionPlan> plans;
  std::optional<DesignSpace> space;  ///< where there are several campaigns
};

/// Throws Error that names the file which cannot serve.
Report make_report(const ReportSources& sources);

/// One page that needs nothing else: summaries as JSON, faults as packed columns, and the program
/// that draws them.
std::string html(const Report& report);

std::string markdown(const Report& report);

/// A row for each number: store,section,layer,part,bit,from_msb,index,name,value,lower,upper.
std::string csv(const Report& report);

/// One object; numbers that JSON does not have are null.
std::string json(const Report& report);

}  // namespace flipscope
