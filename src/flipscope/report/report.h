// The report on one campaign or several: one value, and the four texts that say it.
#pragma once

#include <string>
#include <vector>

#include "flipscope/report/campaign_report.h"

namespace flipscope {

struct ReportSources {
  std::vector<std::string> stores;
  /// Rankings or fault lists, or curves that `evaluate --out` wrote; they are judged by the first
  /// store, which then must hold every fault of its space.
  std::vector<std::string> rankings;
};

struct Report {
  std::string version;  ///< of the program that writes it
  std::vector<CampaignReport> campaigns;
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
