// Rates by group of faults, with their intervals.
//
// The unit is the fault: a group's rate is the mean of its faults' shares of samples, with Wilson's
// interval for n = faults and, where all faults that were drawn from a known number are done, the
// finite-population correction. A group that holds several strata weighs them by their populations.
// The samples are conditioned on.
#include <limits>
#include <map>
#include <tuple>

#include "flipscope/campaign/export.h"
#include "flipscope/campaign/outcome_sums.h"
#include "flipscope/campaign/store.h"
#include "flipscope/model/csv_line.h"
#include "flipscope/model/output_file.h"
#include "flipscope/numeric/error.h"

namespace flipscope {
namespace {

/// Layer (or −1), target (or −1), element or channel (or −1), bit (or −1), in the order of rows.
using Key = std::tuple<int, int, std::int64_t, int>;

std::int64_t channel_of(const FaultTarget& target, std::int64_t index) {
  if (target.channel_axis < 0) return -1;
  const auto axis = static_cast<std::size_t>(target.channel_axis);
  return index / strides_of(target.shape)[axis] % target.shape[axis];
}

class Groups {
 public:
  Groups(const CampaignRecord& record, Grouping by) : record_(record), by_(by) {
    std::map<std::string, int> seen;
    for (const FaultTarget& target : record.targets) {
      const auto [entry, is_new] = seen.try_emplace(target.layer, static_cast<int>(names_.size()));
      if (is_new) names_.push_back(target.layer);
      layer_.push_back(entry->second);
    }
  }

  Key key(const std::optional<FaultSite>& site) const {
    if (by_ == Grouping::model || !site) return {-1, -1, -1, -1};
    const int t = site->target;
    switch (by_) {
      case Grouping::bit:
        return {layer_[t], t, -1, site->bit};
      case Grouping::weight:
        return {layer_[t], t, site->index, -1};
      case Grouping::channel:
        return {layer_[t], t, channel_of(record_.targets[t], site->index), -1};
      default:
        return {layer_[t], -1, -1, -1};
    }
  }

  const std::string& layer_name(int layer) const { return names_[layer]; }

  /// Faults that the group has in the space; 0 where rows were not drawn from it.
  std::uint64_t population(const Key& key) const {
    if (record_.population == 0) return 0;
    const auto [layer, t, element, bit] = key;
    if (layer < 0) return record_.population;
    if (t < 0) {
      std::uint64_t total = 0;
      for (std::size_t i = 0; i < layer_.size(); ++i) {
        if (layer_[i] == layer) total += record_.targets[i].size();
      }
      return total;
    }
    const FaultTarget& target = record_.targets[t];
    switch (by_) {
      case Grouping::bit:
        return target.size_at(bit);
      case Grouping::weight:
        return target.bits_of(element).size();
      default:
        return element < 0 ? target.size() : channel_size(target, element);
    }
  }

 private:
  static std::uint64_t channel_size(const FaultTarget& target, std::int64_t channel) {
    if (target.bits_of_width.empty()) {
      return target.size() / static_cast<std::uint64_t>(target.shape[target.channel_axis]);
    }
    std::uint64_t size = 0;
    for (std::int64_t i = 0; i < target.elements; ++i) {
      if (channel_of(target, i) == channel) size += target.bits_of(i).size();
    }
    return size;
  }

  const CampaignRecord& record_;
  Grouping by_;
  std::vector<std::string> names_;  ///< [layer]
  std::vector<int> layer_;          ///< [target] number of its layer, in order of appearance
};

std::string percent_columns(const std::optional<Rate>& rate) {
  if (!rate) return ",,";
  return fmt::format("{},{},{}", rate->mean, rate->interval.lower, rate->interval.upper);
}

template <typename T>
std::string optional_text(const std::optional<T>& value) {
  return value ? fmt::format("{}", *value) : std::string();
}

}  // namespace

Grouping parse_grouping(const std::string& text) {
  if (text == "bit") return Grouping::bit;
  if (text == "weight") return Grouping::weight;
  if (text == "channel") return Grouping::channel;
  if (text == "layer") return Grouping::layer;
  if (text == "model") return Grouping::model;
  fail("export", "--by '{}' is none of bit, weight, channel, layer, model", text);
}

std::vector<RateRow> rates(const std::string& path, Grouping by) {
  const Store store = Store::open(path);
  const CampaignRecord& record = store.record();
  if (record.trials && by != Grouping::model) {
    fail("export", "{}: rows of {} are trials, which belong to no layer or bit; use --by model",
         path, record.fields.at("faults"));
  }
  const double golden = store.golden_score().value_or(std::numeric_limits<double>::quiet_NaN());
  const bool complete = store.is_complete();
  const bool stratified = complete && record.strata != Strata::none;
  if (record.strata == Strata::bits && (by == Grouping::weight || by == Grouping::channel)) {
    fail("export",
         "{}: rows were drawn by layer and bit, in unequal shares, and do not stand for single "
         "weights or channels; use --by bit, layer or model",
         path);
  }
  const Groups groups(record, by);
  std::map<Key, std::map<StratumKey, OutcomeSums>> sums;
  store.for_each_row([&](const FaultRow& row) {
    const StratumKey stratum = stratified ? stratum_of(record, *row.site) : StratumKey{-1, -1};
    sums[groups.key(row.site)][stratum].add(row, golden);
  });
  std::vector<RateRow> rows;
  for (const auto& [key, by_stratum] : sums) {
    std::vector<OutcomeSums> strata;
    for (const auto& [stratum, sum] : by_stratum) {
      strata.push_back(sum);
      strata.back().population = population_of(record, stratum);
    }
    if (strata.size() == 1) {
      OutcomeSums& only = strata.front();
      only.population = record.drawn_from(complete, only.faults, groups.population(key));
    }
    const auto [layer, t, element, bit] = key;
    RateRow row;
    if (layer >= 0) row.layer = groups.layer_name(layer);
    if (t >= 0) row.tensor = record.targets[t].tensor;
    if (element >= 0) (by == Grouping::weight ? row.index : row.channel) = element;
    if (bit >= 0) row.bit = bit;
    for (const OutcomeSums& sum : strata) row.faults += sum.faults;
    row.population = complete ? groups.population(key) : 0;
    const auto rate = [&](std::uint64_t OutcomeSums::*outcome) {
      return rate_of(strata, outcome, record.samples, record.confidence);
    };
    if (record.has_masked) row.masked = rate(&OutcomeSums::masked);
    row.non_critical = rate(&OutcomeSums::non_critical);
    if (record.has_critical) row.critical = rate(&OutcomeSums::critical);
    row.due = rate(&OutcomeSums::due);
    row.mean_delta = mean_delta(strata);
    rows.push_back(std::move(row));
  }
  return rows;
}

void export_rates(const std::string& path, Grouping by, const std::string& out) {
  const std::vector<RateRow> rows = rates(path, by);
  OutputFile file(out);
  file.write(
      "layer,tensor,index,channel,bit,faults,population,critical,critical_low,critical_high,due,"
      "due_low,due_high,non_critical,non_critical_low,non_critical_high,masked,masked_low,"
      "masked_high,mean_delta\n");
  for (const RateRow& row : rows) {
    file.write(fmt::format(
        "{},{},{},{},{},{},{},{},{},{},{},{}\n", csv_field(row.layer), csv_field(row.tensor),
        optional_text(row.index), optional_text(row.channel), optional_text(row.bit), row.faults,
        row.population == 0 ? "" : std::to_string(row.population), percent_columns(row.critical),
        percent_columns(row.due), percent_columns(row.non_critical), percent_columns(row.masked),
        optional_text(row.mean_delta)));
  }
  file.finish();
}

}  // namespace flipscope
