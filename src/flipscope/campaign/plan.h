// A campaign's options made ready: files read, faults selected, everything checked.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "flipscope/campaign/campaign.h"
#include "flipscope/engine/bottleneck.h"
#include "flipscope/fault/protection.h"
#include "flipscope/fault/selection.h"
#include "flipscope/model/graph.h"
#include "flipscope/model/samples.h"
#include "flipscope/score/condition.h"
#include "flipscope/score/outcome.h"
#include "flipscope/score/score.h"

namespace flipscope {

/// Rises whenever the same campaign would give other numbers.
inline constexpr int kSemanticsVersion = 5;

/// Real value of a stored word before and after a fault.
struct StoredChange {
  double golden = 0, faulty = 0;
};

/// What the score needs beside outputs. Throws Error where a file or --emd-empty is wrong.
ScorerOptions make_scorer_options(const CampaignOptions& options, const ScoreSpec& spec);

class Plan {
 public:
  /// Reads the files that the options name. Throws Error where one is wrong or the options do not
  /// go together; Interrupted once `stop` is set, if it is given, while faults are scored.
  explicit Plan(const CampaignOptions& options, const std::atomic<bool>* stop = nullptr);

  /// The same for a graph and samples in memory; `model_digest` stands for the model's bytes.
  Plan(const CampaignOptions& options, Graph graph, Samples samples,
       const std::string& model_digest, const std::atomic<bool>* stop = nullptr);

  Plan(const Plan&) = delete;
  Plan& operator=(const Plan&) = delete;

  const Graph& graph() const { return graph_; }
  const Samples& samples() const { return samples_; }
  const FaultSpace& space() const { return space_; }
  const FaultModel& fault_model() const { return fault_model_; }
  const Selection& selection() const { return *selection_; }
  const ScoreSpec& score() const { return score_; }
  /// Empty: none was given.
  const ScoreFunction& score_function() const { return options_.score_function; }
  const ScorerOptions& scorer_options() const { return scorer_options_; }
  const std::optional<Condition>& critical() const { return critical_; }
  bool has_decision() const { return has_decision_; }
  OutcomeRules outcome_rules() const { return {has_decision_, cells_}; }
  /// --arithmetic fast, of a score that depends on decisions alone: what keeps a decision is
  /// non-critical, be it masked or not.
  bool decides_only() const { return decides_only_; }
  /// Outputs per sample.
  int values() const { return values_; }
  /// Where faults upstream of it may be judged by their codes, if that is worth it.
  const std::optional<Bottleneck>& bottleneck() const { return bottleneck_; }
  const std::vector<std::string>& notes() const { return notes_; }

  /// What the identity is made of, by name: a digest for files, the option's text for others.
  const std::map<std::string, std::string>& fields() const { return fields_; }
  std::string identity() const;

  /// What a row really strikes: its fault without protected sites and without bits that are stuck
  /// at the value they have.
  Fault active_fault(std::uint64_t row) const;

  /// Of a single fault in a stored tensor; nothing for other faults.
  std::optional<StoredChange> stored_change(std::uint64_t row) const;

  /// Rows of one chunk, the last may be shorter. A function of faults, model and samples alone.
  std::uint64_t chunk_rows() const;
  std::uint64_t chunks() const;

 private:
  void read_fault_files(const std::atomic<bool>* stop);
  void choose_score();
  void check_selection() const;
  void choose_bottleneck();
  void describe(const std::string& model_digest);

  CampaignOptions options_;
  Graph graph_;
  Samples samples_;
  FaultSpace space_;
  FaultModel fault_model_;
  std::unique_ptr<Selection> selection_;
  ProtectedBits protected_;
  ScoreSpec score_;
  ScorerOptions scorer_options_;
  std::vector<int> cells_;  ///< emd: output element of each
  std::optional<Condition> critical_;
  bool has_decision_ = false;
  bool decides_only_ = false;
  int values_ = 0;
  std::optional<Bottleneck> bottleneck_;
  std::map<std::string, std::string> fields_;
  std::vector<std::string> notes_;
};

}  // namespace flipscope
