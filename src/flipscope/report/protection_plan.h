// What `protect` chose, beside the campaign that judges it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "flipscope/report/campaign_report.h"

namespace flipscope {

struct ProtectionPlan {
  struct Layer {
    std::string layer;
    std::uint64_t bits = 0;
    double harm_share = 0;  ///< of all harm of the faults that were run
  };
  /// Changes of the mean score in trials of many flips.
  struct Trials {
    std::string model;  ///< multi:960
    std::uint64_t count = 0, worse = 0;
    Rate change;
  };

  std::string name;  ///< the file's, without its ending, and the budget where there are several
  std::uint64_t bits = 0;
  std::optional<std::uint64_t> run;  ///< bits of it that the campaign struck; empty: no list
  double area = 0;                   ///< added, as a share of that of all registers
  std::optional<double> left;        ///< harm of other bits, as a share of all
  /// What `protect` printed as left: of the worsening of the score, which is the harm only where
  /// there is no decision.
  std::optional<double> error_left;
  std::vector<Layer> layers;       ///< in the model's order; empty: no list
  std::optional<double> foreseen;  ///< change of the mean score
  std::optional<Trials> measured;
};

/// Files of `protect --out`, as CSV or JSON, or what `protect --json` printed. Throws Error that
/// names the file which is neither or names bits that the campaign's model does not have, and where
/// the campaign's rows are trials.
std::vector<ProtectionPlan> read_plans(const std::vector<std::string>& files,
                                       const CampaignReport& campaign);

}  // namespace flipscope
