// What one store says.
#include "flipscope/report/campaign_report.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>
#include <map>
#include <numeric>
#include <set>
#include <tuple>

#include "flipscope/campaign/outcome_sums.h"
#include "flipscope/campaign/run_plan.h"
#include "flipscope/campaign/store.h"
#include "flipscope/numeric/error.h"
#include "flipscope/numeric/stratified.h"

namespace flipscope {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

struct Sums {
  std::uint64_t faults = 0, harmful = 0;
  std::uint64_t masked = 0, non_critical = 0, critical = 0, due = 0;
  double harm = 0, harm_squared = 0, delta = 0;

  Sums& operator+=(const Sums& more) {
    faults += more.faults;
    harmful += more.harmful;
    masked += more.masked;
    non_critical += more.non_critical;
    critical += more.critical;
    due += more.due;
    harm += more.harm;
    harm_squared += more.harm_squared;
    delta += more.delta;
    return *this;
  }
};

/// The rows of a group by the strata that they were drawn from; one key where there are none.
using StrataSums = std::map<StratumKey, Sums>;

/// Number of the layer and part in the model's order, distance from the most significant bit; −1:
/// all.
using Key = std::pair<int, int>;

/// Makes groups of sums.
class Grouper {
 public:
  /// `complete`: the store holds all that was drawn, so that strata stand for their populations.
  Grouper(const CampaignRecord& record, double confidence, bool complete)
      : record_(record),
        confidence_(confidence),
        complete_(complete),
        stratified_(complete && record.strata != Strata::none) {
    std::map<std::pair<std::string, Part>, int> seen;
    std::set<int> widths;
    for (const FaultTarget& target : record.targets) {
      const auto [entry, is_new] =
          seen.try_emplace({target.layer, target.part}, static_cast<int>(names_.size()));
      if (is_new) names_.emplace_back(target.layer, std::string(to_string(target.part)));
      place_.push_back(entry->second);
      for (const FaultTarget::Width& own : target.widths()) {
        if (own.width > 0) widths.insert(own.width);
      }
    }
    if (widths.size() == 1) width_ = *widths.begin();
  }

  Key key(const FaultSite& site) const {
    const auto t = static_cast<std::size_t>(site.target);
    return {place_[t], record_.targets[t].from_msb(site.index, site.bit)};
  }

  StratumKey stratum(const FaultSite& site) const {
    return stratified_ ? stratum_of(record_, site) : StratumKey{-1, -1};
  }

  /// Harm of all faults that the rows of a group stand for; `all` holds all rows.
  double harm(const StrataSums& strata, const StrataSums& all) const {
    double sum = 0;
    for (const auto& [stratum, sums] : strata) {
      sum += faults_of(stratum, all.at(stratum)) * sums.harm /
             static_cast<double>(all.at(stratum).faults);
    }
    return sum;
  }

  FaultGroup group(const Key& key, const StrataSums& strata, const StrataSums& all) const {
    const auto [place, from_msb] = key;
    FaultGroup group;
    if (place >= 0) std::tie(group.layer, group.part) = names_[static_cast<std::size_t>(place)];
    if (from_msb >= 0) group.from_msb = from_msb;
    if (from_msb >= 0 && width_) group.bit = *width_ - 1 - from_msb;
    for (const auto& [stratum, sums] : strata) group.faults += sums.faults;
    group.population = complete_ && record_.population > 0 ? population(key) : 0;
    const std::uint64_t from = record_.drawn_from(complete_, group.faults, group.population);
    const auto samples = static_cast<double>(record_.samples);
    const auto of_pairs = [&](std::uint64_t Sums::*count) {
      return share(strata, from,
                   [&](const Sums& sums) { return static_cast<double>(sums.*count) / samples; });
    };
    if (record_.has_masked) group.masked = of_pairs(&Sums::masked);
    group.non_critical = of_pairs(&Sums::non_critical);
    group.due = of_pairs(&Sums::due);
    if (record_.has_critical) group.critical = of_pairs(&Sums::critical);
    group.harmful =
        share(strata, from, [](const Sums& sums) { return static_cast<double>(sums.harmful); });
    group.harm = record_.has_critical
                     ? share(strata, from, [](const Sums& sums) { return sums.harm; })
                     : mean_harm(strata, from);
    const double all_harm = harm(all, all);
    group.harm_share = all_harm > 0 ? harm(strata, all) / all_harm : 0;
    double faults = 0, delta = 0;
    for (const auto& [stratum, sums] : strata) {
      faults += faults_of(stratum, sums);
      delta += faults_of(stratum, sums) * sums.delta / static_cast<double>(sums.faults);
    }
    group.mean_delta = delta / faults;
    return group;
  }

 private:
  /// Faults of a stratum: those of its population, where the rows stand for it.
  double faults_of(const StratumKey& stratum, const Sums& sums) const {
    return static_cast<double>(stratified_ ? population_of(record_, stratum) : sums.faults);
  }

  /// Faults of the space that belong to a group.
  std::uint64_t population(const Key& group) const {
    const auto [place, from_msb] = group;
    if (place < 0 && from_msb < 0) return record_.population;
    std::uint64_t count = 0;
    for (int t = 0; t < static_cast<int>(record_.targets.size()); ++t) {
      if (place >= 0 && place != place_[t]) continue;
      for (const FaultTarget::Width& own : record_.targets[t].widths()) {
        const bool inside =
            from_msb < 0 || std::ranges::binary_search(*own.bits, own.width - 1 - from_msb);
        if (inside) count += own.elements * (from_msb < 0 ? own.bits->size() : 1);
      }
    }
    return count;
  }

  /// The mean over faults of what `successes` counts, each at most once.
  template <typename F>
  Rate share(const StrataSums& strata, std::uint64_t population, F successes) const {
    if (strata.size() == 1) {
      const Sums& sums = strata.begin()->second;
      return make_rate(successes(sums) / static_cast<double>(sums.faults), sums.faults, population,
                       confidence_);
    }
    std::vector<StratumSample> drawn;
    for (const auto& [stratum, sums] : strata) {
      drawn.push_back(
          {successes(sums), static_cast<double>(sums.faults), population_of(record_, stratum)});
    }
    const StratifiedShare mean = stratified_share(drawn, confidence_);
    return {mean.mean, mean.interval};
  }

  /// The normal interval of a mean of numbers without bounds, corrected for finite populations.
  Rate mean_harm(const StrataSums& strata, std::uint64_t population) const {
    double all = 0, sum = 0, variance = 0;
    for (const auto& [stratum, sums] : strata) {
      const auto n = static_cast<double>(sums.faults);
      const auto whole =
          static_cast<double>(strata.size() > 1 ? population_of(record_, stratum) : population);
      const double mean = sums.harm / n, size = whole > 0 ? whole : n;
      const double spread =
          n > 1 ? std::max(0.0, (sums.harm_squared - n * mean * mean) / (n - 1)) : 0;
      const double correction = whole > 1 ? (whole - n) / (whole - 1) : whole == n ? 0 : 1;
      all += size;
      sum += size * mean;
      variance += size * size * spread / n * correction;
    }
    const double mean = sum / all;
    const double half = two_sided_z(confidence_) * std::sqrt(variance) / all;
    return {mean, {mean - half, mean + half}};
  }

  const CampaignRecord& record_;
  double confidence_;
  bool complete_, stratified_;
  std::vector<std::pair<std::string, std::string>> names_;  ///< [place] layer, part
  std::vector<int> place_;                                  ///< [target]
  std::optional<int> width_;                                ///< of all words, where it is one
};

/// All rows; of trials, which have no site, only what sums need.
FaultColumns read_rows(const Store& store) {
  const CampaignRecord& record = store.record();
  const double golden = store.golden_score().value_or(kNaN);
  const auto samples = static_cast<double>(record.samples);
  FaultColumns columns;
  double most = 0;
  store.for_each_row([&](const FaultRow& row) {
    const double delta = row.score - golden;
    columns.fault.push_back(row.fault);
    columns.site.push_back(row.site.value_or(FaultSite{-1, 0, 0}));
    columns.golden.push_back(row.golden.value_or(kNaN));
    columns.faulty.push_back(row.faulty.value_or(kNaN));
    columns.masked.push_back(static_cast<std::uint32_t>(row.outcomes.masked));
    columns.critical.push_back(static_cast<std::uint32_t>(row.outcomes.critical));
    columns.due.push_back(static_cast<std::uint32_t>(row.outcomes.due));
    columns.delta.push_back(delta);
    const auto failed = static_cast<double>(row.outcomes.critical + row.outcomes.due);
    columns.harm.push_back(record.has_critical ? failed / samples : delta);
    if (std::isfinite(delta)) most = std::max(most, delta);
  });
  for (double& harm : columns.harm) {
    if (!std::isfinite(harm)) harm = harm < 0 ? 0 : most;
    harm = std::max(harm, 0.0);
  }
  return columns;
}

void make_groups(CampaignReport& report, bool complete) {
  const CampaignRecord& record = report.record;
  const FaultColumns& faults = report.faults;
  const Grouper grouper(record, report.summary.confidence, complete);
  std::map<Key, StrataSums> cells;
  const auto samples = static_cast<std::uint64_t>(record.samples);
  for (std::size_t r = 0; r < faults.size(); ++r) {
    const Key key = record.trials ? Key{-1, -1} : grouper.key(faults.site[r]);
    const StratumKey stratum = record.trials ? StratumKey{-1, -1} : grouper.stratum(faults.site[r]);
    const double harm = faults.harm[r];
    const std::uint64_t seen = std::uint64_t{faults.masked[r]} + faults.critical[r] + faults.due[r];
    cells[key][stratum] += {1,
                            harm > 0 ? std::uint64_t{1} : 0,
                            faults.masked[r],
                            samples - seen,
                            faults.critical[r],
                            faults.due[r],
                            harm,
                            harm * harm,
                            faults.delta[r]};
  }
  StrataSums all;
  std::map<Key, StrataSums> layers, positions;
  for (const auto& [key, strata] : cells) {
    for (const auto& [stratum, sums] : strata) {
      all[stratum] += sums;
      layers[{key.first, -1}][stratum] += sums;
      positions[{-1, key.second}][stratum] += sums;
    }
  }
  report.all = grouper.group({-1, -1}, all, all);
  if (record.trials) return;
  for (const auto& [from, to] : {std::pair(&cells, &report.cells),
                                 {&layers, &report.layers},
                                 {&positions, &report.positions}}) {
    for (const auto& [key, strata] : *from) to->push_back(grouper.group(key, strata, all));
  }
}

void order_by_harm(CampaignReport& report) {
  const std::vector<double>& harm = report.faults.harm;
  for (std::uint32_t r = 0; r < harm.size(); ++r) {
    if (harm[r] > 0) report.worst.push_back(r);
  }
  std::ranges::stable_sort(report.worst,
                           [&](std::uint32_t a, std::uint32_t b) { return harm[a] > harm[b]; });
  double all = 0;
  for (const std::uint32_t r : report.worst) all += harm[r];
  const auto size = static_cast<std::uint64_t>(harm.size());
  std::set<std::uint64_t> marks;
  for (std::uint64_t power = 1; power < size; power *= 10) {
    for (const std::uint64_t step : {1, 2, 5}) marks.insert(step * power);
  }
  for (const std::uint64_t percent : {1, 3, 10, 30}) marks.insert(size * percent / 100);
  double covered = 0;
  std::uint64_t bits = 0;
  for (const std::uint64_t mark : marks) {
    if (mark == 0 || mark > report.worst.size()) continue;
    while (bits < mark) covered += harm[report.worst[bits++]];
    report.residuals.push_back({mark, std::max(0.0, 1 - covered / all)});
  }
}

}  // namespace

CampaignReport read_campaign(const std::string& path) {
  const Store store = Store::open(path);
  CampaignReport report;
  report.store = path;
  report.record = store.record();
  report.summary = summarize(store);
  if (report.summary.done == 0) {
    fail("report",
         "{} holds no faults; run its inject command first, or merge it with other shards", path);
  }
  report.sessions = store.sessions();
  const std::string& model = report.summary.model;
  report.name = std::filesystem::path(model.empty() ? path : model).stem().string();
  report.faults = read_rows(store);
  make_groups(report, store.is_complete());
  if (report.record.trials) {
    report.faults = {};
  } else {
    order_by_harm(report);
  }
  return report;
}

std::optional<std::uint64_t> bits_to_leave(const CampaignReport& campaign, double left) {
  const std::vector<double>& harm = campaign.faults.harm;
  double all = 0;
  for (const std::uint32_t r : campaign.worst) all += harm[r];
  if (all <= 0) return {};
  double covered = 0;
  std::uint64_t bits = 0;
  while (bits < campaign.worst.size() && all - covered > left * all) {
    covered += harm[campaign.worst[bits++]];
  }
  return bits;
}

}  // namespace flipscope
