// What the slice verb says: tables for people, JSON for programs.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "flipscope/analysis/slice_cost.h"
#include "flipscope/analysis/slice_judgement.h"
#include "flipscope/campaign/verdicts.h"
#include "slice_setup.h"

namespace flipscope::cli {

/// A column's judgements: over all faults, and by slice.
struct JudgedColumn {
  Judgement all;
  std::map<std::size_t, Judgement> by_slice;
};

/// Hybrid campaigns played with a column's scores and the oracle's shares, with several seeds.
struct ReplayedColumn {
  std::uint64_t seeds = 0, covered = 0;
  std::uint64_t audit = 0, faults = 0;
  double run = 0;   ///< mean share of the faults that are run
  double time = 0;  ///< of the exact campaign's time; 0 where costs were not measured
  double stated = 0, lower = 0, upper = 0, actual = 0;  ///< means of the error that is left
  double critical = 0;                                  ///< rate over all faults
};

/// All that one call of the verb found.
struct SliceReport {
  std::uint64_t faults = 0;
  double seconds = 0;  ///< that scoring took
  std::optional<Verdicts> verdicts;
  std::vector<JudgedColumn> judged;      ///< [column]; empty without an oracle
  std::vector<ReplayedColumn> replayed;  ///< [column]; empty unless asked for
  std::vector<SliceCost> costs;          ///< empty unless asked for
};

std::string slice_json(const Options& options, const SliceSetup& setup, const SliceReport& report);
std::string slice_text(const Options& options, const SliceSetup& setup, const SliceReport& report);

}  // namespace flipscope::cli
