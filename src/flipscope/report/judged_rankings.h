// Rankings beside the campaign that knows.
#pragma once

#include <string>
#include <vector>

#include "flipscope/report/campaign_report.h"

namespace flipscope {

/// Each file judged by the store, and the best order there is. Files of `evaluate --out` and
/// `evaluate --out-top` hold curves by name, which stand as they are. Throws Error where the store
/// does not hold every fault, or a file names a bit that it does not know.
std::vector<JudgedRanking> judge_rankings(const std::string& store,
                                          const std::vector<std::string>& files);

}  // namespace flipscope
