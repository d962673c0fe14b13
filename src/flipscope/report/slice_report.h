// What `slice` found (SliceFI): pictures of slices, and heuristics beside the harm that faults do.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "flipscope/report/campaign_report.h"

namespace flipscope {

struct SliceReport {
  /// Outputs of one slice in the plane of their two principal axes.
  struct Picture {
    std::string slice;
    double variance_shown = 0;
    std::vector<std::string> kind;           ///< [point] expected, faulty, centroid
    std::vector<std::int64_t> label, fault;  ///< [point] class; fault number, −1: none
    std::vector<double> x, y;
    std::map<std::int64_t, std::string> names;  ///< of its faults, where a file of scores says them
  };
  /// A heuristic's scores beside the campaign's |change of score|.
  struct Scores {
    std::string heuristic;
    double spearman = 0;  ///< over faults that both know; NaN where undefined
    std::uint64_t faults = 0;
    std::vector<double> score, change;  ///< [point], evenly chosen from all of those
  };
  std::vector<Picture> pictures;
  std::vector<Scores> scores;
};

/// Files of `slice --scatter` and of `slice --out`, told apart by their columns; the latter are
/// compared with the campaign. Throws Error that names the file which is neither, or shares no
/// fault with the campaign.
SliceReport read_slices(const std::vector<std::string>& files, const CampaignReport& campaign);

}  // namespace flipscope
