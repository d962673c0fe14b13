// A store's campaign as options again, so that later verbs need the store alone.
#pragma once

#include "flipscope/campaign/campaign.h"
#include "flipscope/campaign/record.h"

namespace flipscope {

/// Model, samples, fault space and score as they were given; files are named as they were then,
/// relative to the folder of that time. Select and protect are left at their defaults.
CampaignOptions recorded_options(const CampaignRecord& record);

}  // namespace flipscope
