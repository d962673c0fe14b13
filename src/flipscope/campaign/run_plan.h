// The steps of run_campaign(), for campaigns whose model and samples are in memory.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "flipscope/campaign/campaign.h"
#include "flipscope/campaign/plan.h"
#include "flipscope/campaign/store.h"

namespace flipscope {

/// run_campaign() from the plan on; `options` are those that made it.
CampaignSummary run_plan(const Plan& plan, const CampaignOptions& options, const std::string& store,
                         const Progress& progress, const std::atomic<bool>& stop);

CampaignSummary summarize(const Store& store);

/// The mean of `faults` shares with Wilson's interval; `population` 0: without end.
Rate make_rate(double mean, std::uint64_t faults, std::uint64_t population, double confidence);

}  // namespace flipscope
