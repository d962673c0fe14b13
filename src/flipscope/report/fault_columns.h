// The faults of a campaign as columns of numbers, packed for a page.
//
// Each column is stored in the narrowest type that holds it (or as numbers into a dictionary of its
// distinct values); all columns, end to end, are one zlib stream in base64.
#pragma once

#include <string>

#include "flipscope/report/campaign_report.h"

namespace flipscope {

struct PackedFaults {
  std::uint64_t rows = 0;  ///< fewer than the campaign has, where the least harmful were left out
  std::string directory;   ///< JSON: name, type, rows, differences or dictionary of each column
  std::string base64;
};

/// Columns target, index, bit, golden, faulty, masked, critical, due and delta (rounded to
/// float32), ascending by fault; of more than `most` rows the most harmful.
PackedFaults pack(const CampaignReport& campaign, std::uint64_t most = 1'000'000);

}  // namespace flipscope
