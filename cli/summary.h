// What a campaign found, for a person and for a script.
#pragma once

#include <optional>
#include <string>

#include "flipscope/campaign/campaign.h"

namespace flipscope::cli {

/// At most 20 lines: outcomes with their intervals, where the harm is, what to do next.
std::string summary_text(const CampaignSummary& summary, const std::string& store);

/// One JSON object. `broken` says whether the bar of --fail-if is broken; empty: there was none.
std::string summary_json(const CampaignSummary& summary, const std::string& store,
                         std::optional<bool> broken = {});

}  // namespace flipscope::cli
