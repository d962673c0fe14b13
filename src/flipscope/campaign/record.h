// What a store holds: the record of its campaign, and a row for each fault.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "flipscope/campaign/work_counts.h"
#include "flipscope/fault/fault_space.h"
#include "flipscope/fault/selection.h"
#include "flipscope/score/outcome.h"

namespace flipscope {

/// What a store knows about its campaign before the first row.
struct CampaignRecord {
  std::string identity;
  std::map<std::string, std::string> fields;  ///< what the identity is made of
  std::map<std::string, std::string>
      info;                          ///< model, inputs, … as typed: for people, and later verbs
  std::vector<FaultTarget> targets;  ///< of the encodings the widths alone
  std::vector<std::string> formats;  ///< [target] its encoding, for people
  std::uint64_t rows = 0;  ///< numbers of rows lie below it; where a selection adapts, not all do
  std::uint64_t chunk_rows = 1;
  std::uint64_t population = 0;  ///< as Selection::population()
  Strata strata = Strata::none;
  double confidence = 0.95;  ///< of intervals
  std::int64_t samples = 0;
  std::uint64_t seed = 0;
  bool trials = false;
  bool has_critical = false;  ///< the critical column has numbers
  bool has_masked = true;     ///< the masked column has; else non-critical ones include them

  std::uint64_t chunks() const { return (rows + chunk_rows - 1) / chunk_rows; }

  /// Rows stand for others: for all faults of the space, or all trials. Those of lists and searches
  /// stand for themselves.
  bool is_sample() const { return population > 0 || trials; }

  /// What `faults` done of a group were drawn from, `of_space` of which are in the space; 0: not
  /// known. Once all are done, those that stand for themselves are all that there are.
  std::uint64_t drawn_from(bool complete, std::uint64_t faults, std::uint64_t of_space) const {
    if (!complete) return 0;
    return is_sample() ? of_space : faults;
  }
};

/// In what a campaign that is wanted is not the one that a store holds: a clause about the latter,
/// of the first field that differs.
std::string difference(const CampaignRecord& wanted, const CampaignRecord& held);

/// One call that ran faults of a store: what it took. It is no part of the result.
struct Session {
  std::string version;  ///< of flipscope
  std::uint64_t threads = 0;
  std::uint64_t faults = 0;
  double seconds = 0;
  WorkCounts work;
};

struct FaultRow {
  std::uint64_t fault = 0;
  std::optional<FaultSite> site;  ///< empty for a trial
  std::optional<double> golden, faulty;
  OutcomeCounts outcomes;
  double score = 0;

  /// All fields, NaN equal to itself.
  bool same_as(const FaultRow& other) const;
};

}  // namespace flipscope
