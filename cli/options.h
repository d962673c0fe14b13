// What the command line can say, as plain values; each verb reads the fields that it described.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "flipscope/campaign/campaign.h"
#include "flipscope/campaign/export.h"
#include "vulnerability_choice.h"

namespace flipscope::cli {

struct Options {
  std::string command;             ///< the command line as typed, to be shown again
  std::vector<std::string> named;  ///< options that it names; those of --config are not among them

  bool json = false;
  bool quiet = false;

  /// Model, samples, fault space, score, and so on; `run` and `info` read parts of it.
  CampaignOptions campaign;

  std::string store;                ///< --store, or the argument STORE
  std::vector<std::string> stores;  ///< the arguments STORE...
  std::string out;
  std::string bar_text;  ///< --fail-if in its own words

  // run
  std::string outputs;
  std::string expect;
  double tolerance = 0;

  // rank, trace
  std::string metric = "hessian";
  std::string variant = "exact";
  std::string loss;  ///< empty: as labels and targets suggest
  int top = 8;
  std::int64_t probes = 32;

  // evaluate
  std::vector<std::string> rankings;
  std::vector<std::string> against;
  std::string out_top;
  std::string sensitive = "worse";

  // report
  std::string vulnerability_folder;
  std::vector<std::string> slices;
  std::vector<std::string> plans;

  // vulnerability
  VulnerabilityChoice vulnerability;

  // slice
  std::vector<std::string> heuristics;
  std::string oracle;
  std::string slice_end = "layer";
  std::string classes = "labels";
  std::string scatter;
  std::uint64_t cost_faults = 0;
  std::uint64_t replays = 0;
  std::uint64_t audit = 0;

  // sample-size
  std::string method = "layer";

  // protect
  std::vector<std::string> budgets;
  std::string protection_cost = "2,0.6";
  std::string trial;  ///< fault model of the trials; empty: none
  std::uint64_t trials = 1000;
  std::string to = "csv";

  // compare
  std::string costs;
  double residual = 0.1;

  // bench
  std::uint64_t faults_per_layer = 1000;
  double seconds = 2;

  // export
  std::string format = "csv";
  std::optional<Grouping> grouping;
  bool sites = false;
};

}  // namespace flipscope::cli
