// What leaves a store: rows as CSV, fault list or npz, and rates by group with their intervals.
//
// Every function reads the store alone and writes its file at once (a temporary beside it,
// renamed); an empty `out` is standard output.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "flipscope/campaign/campaign.h"

namespace flipscope {

/// fault,layer,tensor,index,bit,from_msb,golden,faulty,samples,masked,non_critical,critical,due,
/// score,delta, ascending by fault.
void export_csv(const std::string& store, const std::string& out);

/// Injection,Layer,TensorIndex,Bit,n_injections,masked,non_critical,critical; DUE counts as
/// critical there. Where a layer has several tensors, `tensor` follows. Throws Error where rows are
/// trials.
void export_fault_list(const std::string& store, const std::string& out);

/// One array per column of the CSV (numbers as int64 or float64, absent ones as −1 or NaN), `layer`
/// and `tensor` as indices into the arrays `layers` and `tensors`. Needs a file name.
void export_npz(const std::string& store, const std::string& out);

/// fault,layer,tensor,index,bit of every bit of every trial.
void export_sites(const std::string& store, const std::string& out);

/// What the rows are grouped by (--by).
enum class Grouping { bit, weight, channel, layer, model };

/// Throws Error where the name is none of the five.
Grouping parse_grouping(const std::string& text);

/// One group: the mean of its faults' shares. Fields that the grouping does not use are empty.
struct RateRow {
  std::string layer, tensor;
  std::optional<std::int64_t> index;  ///< of the weight
  std::optional<std::int64_t> channel;
  std::optional<int> bit;
  std::uint64_t faults = 0;
  std::uint64_t population =
      0;  ///< faults of the group in the space; 0: none known, or not all done
  std::optional<Rate> masked, non_critical, critical, due;
  std::optional<double> mean_delta;
};

/// Groups in order of layer, tensor, and within; intervals have the campaign's confidence. Throws
/// Error where rows are trials and the grouping is not the model.
std::vector<RateRow> rates(const std::string& store, Grouping by);

void export_rates(const std::string& store, Grouping by, const std::string& out);

/// Shards of one campaign into one new store. Chunks that several hold must agree. Returns what the
/// new store holds. Throws Error naming the store that belongs to another campaign.
CampaignSummary merge_stores(const std::vector<std::string>& stores, const std::string& out);

}  // namespace flipscope
