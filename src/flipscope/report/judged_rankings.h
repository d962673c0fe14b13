// Rankings beside the campaign that knows.
#pragma once

#include <string>
#include <vector>

#include "flipscope/report/campaign_report.h"

namespace flipscope {

/// Each file judged by the store, and last the best order there is. A file that begins with
/// ranking,flips,found holds curves, which stand as they are. Throws Error where the store does not
/// hold every fault, or a file names a bit that it does not know.
std::vector<JudgedRanking> judge_rankings(const std::string& store,
                                          const std::vector<std::string>& files);

}  // namespace flipscope
