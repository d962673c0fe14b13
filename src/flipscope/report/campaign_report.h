// What one store says: how much harm its faults do, where, and how much of it a few bits make up.
//
// The harm of a fault is the share of samples on which it is critical or DUE; where outputs have no
// decision, how much worse the score gets (0 where it gets better). A change that is no finite
// number counts as the store's largest finite one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "flipscope/analysis/evaluation.h"
#include "flipscope/campaign/campaign.h"
#include "flipscope/campaign/record.h"

namespace flipscope {

/// Faults that belong together: of a layer, of a bit position, of both, or all.
struct FaultGroup {
  std::string layer;            ///< empty: of all
  std::string part;             ///< weights, biases, …; empty: of all
  std::optional<int> bit;       ///< empty: all, or words of several widths
  std::optional<int> from_msb;  ///< distance from the most significant bit; empty: all
  std::uint64_t faults = 0;
  std::uint64_t population = 0;  ///< faults of the group in the space; 0: none known
  Rate non_critical, due;
  std::optional<Rate> masked, critical;
  Rate harmful;           ///< share of faults that do any harm
  Rate harm;              ///< mean over faults
  double harm_share = 0;  ///< of the harm of all faults
  double mean_delta = 0;  ///< change of the score
};

/// The rows of a store, [row], ascending by fault; empty where rows are trials of many bits.
struct FaultColumns {
  std::vector<std::uint64_t> fault;
  std::vector<FaultSite> site;
  std::vector<double> golden, faulty;  ///< NaN also where there is none
  std::vector<std::uint32_t> masked, critical, due;
  std::vector<double> delta;  ///< change of the score
  std::vector<double> harm;

  std::size_t size() const { return fault.size(); }
};

/// What protecting the worst bits leaves, of those that were struck.
struct Residual {
  std::uint64_t bits = 0;
  double left = 0;  ///< share of all harm
};

/// A ranking, judged by the campaign.
struct JudgedRanking {
  struct Point {
    std::uint64_t flips = 0;
    double found = 0;  ///< share of Σ|change of score|
  };
  std::string name;
  std::optional<Evaluation> evaluation;  ///< empty: what is known comes from a file
  std::vector<Point> curve;
  std::vector<Reach> top;  ///< flips until all bits of the top 1%, 2%, … are found
};

struct CampaignReport {
  std::string
      name;  ///< the model's file without its ending; the store's too where several share it
  std::string store;
  CampaignRecord record;
  CampaignSummary summary;
  std::vector<Session> sessions;
  FaultGroup all;
  /// By layer and part in the model's order; by position, the most significant first; by both.
  /// Empty for trials.
  std::vector<FaultGroup> layers, positions, cells;
  FaultColumns faults;
  std::vector<std::uint32_t> worst;  ///< rows that do harm, the most harmful first; ties by fault
  std::vector<Residual> residuals;
  std::vector<JudgedRanking> rankings;

  bool by_decision() const { return record.has_critical; }
  bool is_exhaustive() const { return record.population > 0 && summary.done == record.population; }
};

/// Throws Error where there is no store, or it holds no fault yet.
CampaignReport read_campaign(const std::string& store);

/// Bits that must be protected until no more than `left` of all harm is; empty: there is no harm.
std::optional<std::uint64_t> bits_to_leave(const CampaignReport& campaign, double left);

/// Harm in the campaign's unit, a share or a change of the score, with its interval.
std::string harm_text(const CampaignReport& campaign, const Rate& harm);

/// The campaign in three sentences, with intervals.
std::vector<std::string> answer(const CampaignReport& campaign);

/// Name and value of what was run, in the order of reading.
std::vector<std::pair<std::string, std::string>> facts(const CampaignReport& campaign);

}  // namespace flipscope
