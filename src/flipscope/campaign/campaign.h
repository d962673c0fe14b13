// A campaign: what is struck, how, on which samples, and what is asked of the outputs.
//
// The value CampaignOptions says all of it; run_campaign() starts or resumes what a store holds,
// and everything later (export, merge, rates) needs only the store.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "flipscope/campaign/work_counts.h"
#include "flipscope/fault/fault_space.h"
#include "flipscope/fault/selection.h"
#include "flipscope/model/samples.h"
#include "flipscope/model/variant.h"
#include "flipscope/numeric/error.h"
#include "flipscope/numeric/interval.h"
#include "flipscope/score/condition.h"

namespace flipscope {

/// --fail-if 'sdc>0.01': the bar is broken when the upper confidence bound of the rate meets the
/// condition. Rates: sdc (critical), due, non-critical, masked.
using Bar = Condition;

enum class Arithmetic { exact, fast };

/// Part `index` of `count` of a campaign's chunks, counted from 1 (--shard K/N).
struct Shard {
  int index = 1;
  int count = 1;
};

/// "2/3". Throws Error where it is not two numbers 1 ≤ K ≤ N.
Shard parse_shard(const std::string& text);

/// "4GiB", "500M", "1e9", "2048": bytes; suffixes K, M, G, T and KiB … are powers of 1024, kB, MB,
/// GB, TB powers of 1000. Throws Error where it is no positive size.
std::size_t parse_memory(const std::string& text);

/// Throws Error where it is neither "exact" nor "fast".
Arithmetic parse_arithmetic(const std::string& text);

/// A score of outputs [sample][value] under one fault. Called by several threads at once.
using ScoreFunction = std::function<double(const float* outputs, std::int64_t samples, int values)>;

/// `done` of `total` faults of this shard, those found in the store included; `seconds` since this
/// run began. Called from any thread, one call at a time.
using Progress = std::function<void(std::uint64_t done, std::uint64_t total, double seconds)>;

struct CampaignOptions {
  // What affects the result: the campaign's identity.
  std::string model;  ///< as load_model() takes it
  Variant variant;
  SampleOptions samples;
  FaultSpaceOptions space;
  std::string faults = "bit-flip";    ///< fault model: see fault/fault_model.h
  std::string select = "exhaustive";  ///< see fault/selection.h
  SelectionOptions selection;
  /// See score/score.h. Empty: mse where there are targets or the model has one output, else
  /// mispredict.
  std::string score;
  /// Computes the score "exec:NAME" in the place of a program; NAME stands for it in the identity.
  ScoreFunction score_function;
  /// A condition on a sample's `delta` (its score minus its golden one) or `score`, which then says
  /// what is critical; with exec: on the fault's. Empty: a changed decision, where there is one
  /// (the score is one of decisions, or there are labels).
  std::string critical;
  std::string emd_cost, emd_cells;     ///< files; empty: none
  std::string emd_empty = "diameter";  ///< or "fkeras": see EmdSettings
  bool count_only_correct = false;
  std::string protect;  ///< fault list of bits that cannot be flipped; empty: none
  Arithmetic arithmetic = Arithmetic::exact;
  std::uint64_t seed = 0;

  // What does not.
  Shard shard;
  std::int64_t verify = 0;  ///< faults to run again by the reference
  std::size_t memory = 0;   ///< bytes for golden values; 0: half of the machine's
  int threads = 0;          ///< 0: all cores
  Progress scoring;         ///< hears of the faults that a hybrid selection scores first
  std::optional<Bar> bar;   ///< one that this campaign can have no rate for is refused at the start
};

/// A mean over faults of each fault's share of samples, with its interval.
struct Rate {
  double mean = 0;
  Interval interval;
};

/// What a store holds so far. A rate is empty where there is no fault to take it from; `critical`
/// also where outputs have no decision and no --critical.
struct CampaignSummary {
  std::string identity;  ///< hex digest
  std::string model;
  std::uint64_t seed = 0;
  std::uint64_t space = 0;    ///< bits in the fault space
  std::uint64_t rows = 0;     ///< faults (or trials) of the whole campaign, at most
  std::uint64_t done = 0;     ///< rows in the store
  std::uint64_t wanted = 0;   ///< rows of this shard
  std::uint64_t run_now = 0;  ///< rows that this call has run
  WorkCounts work;            ///< of this call
  std::int64_t samples = 0;
  std::string score_name;
  std::optional<double> golden_score;
  std::optional<Rate> masked, non_critical, critical, due;
  double confidence = 0.95;
  bool is_sample = true;           ///< rates are the network's; else of these faults alone
  double seconds = 0;              ///< of this call
  bool interrupted = false;        ///< the stop flag was seen; the same call resumes
  std::int64_t verified = 0;       ///< faults that the reference has confirmed
  std::vector<std::string> notes;  ///< what the user should know, one line each
};

/// Starts the campaign in a new store, or resumes the one that `store` holds. Returns when this
/// shard is complete or `stop` is set; the summary is empty where that was before it began. Throws
/// Error where options are wrong, the store is foreign or cannot be written, or --verify finds a
/// difference (VerificationError).
CampaignSummary run_campaign(const CampaignOptions& options, const std::string& store,
                             const Progress& progress, const std::atomic<bool>& stop);

/// What a store holds, without running anything.
CampaignSummary summarize(const std::string& store);

/// `stop` was set before a campaign could begin.
class Interrupted : public Error {
 public:
  using Error::Error;
};

/// --verify found that engine and reference differ: a check that does not hold, not a mistake of
/// the user's (exit 1).
class VerificationError : public Error {
 public:
  using Error::Error;
};

/// Throws Error where the text is not RATE>NUMBER or RATE>=NUMBER; a number may end with %.
Bar parse_bar(const std::string& text);

/// Of the bar's rate; nothing without faults. Throws Error where the store has no such rate.
std::optional<double> upper_bound(const Bar& bar, const CampaignSummary& summary);

/// Without faults it holds. Throws Error where the store has no such rate.
bool is_broken(const Bar& bar, const CampaignSummary& summary);

}  // namespace flipscope
