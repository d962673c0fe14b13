#include "flipscope/report/slice_report.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <tuple>

#include "flipscope/numeric/correlation.h"
#include "flipscope/numeric/error.h"
#include "flipscope/report/csv_table.h"

namespace flipscope {
namespace {

constexpr std::size_t kPicturePoints = 3000;  ///< of a picture of scores

void read_pictures(const std::string& file, SliceReport& report) {
  std::map<std::string, std::size_t> number;
  read_table(file, [&](const CsvRow& row) {
    const auto [entry, is_new] = number.try_emplace(row.text("slice"), report.pictures.size());
    if (is_new) {
      report.pictures.push_back(
          {row.text("slice"), row.number("variance_shown"), {}, {}, {}, {}, {}, {}});
    }
    SliceReport::Picture& picture = report.pictures[entry->second];
    picture.kind.push_back(row.text("kind"));
    picture.label.push_back(row.integer("class"));
    picture.fault.push_back(row.text("fault").empty() ? -1 : row.integer("fault"));
    picture.x.push_back(row.number("x"));
    picture.y.push_back(row.number("y"));
  });
}

/// [tensor, index, bit] → |change of score| of the campaign.
std::map<std::tuple<std::string, std::int64_t, int>, double> changes(
    const CampaignReport& campaign) {
  std::map<std::tuple<std::string, std::int64_t, int>, double> changes;
  const FaultColumns& faults = campaign.faults;
  for (std::size_t r = 0; r < faults.size(); ++r) {
    const FaultSite& site = faults.site[r];
    if (!std::isfinite(faults.delta[r])) continue;
    changes[{campaign.record.targets[static_cast<std::size_t>(site.target)].tensor, site.index,
             site.bit}] = std::fabs(faults.delta[r]);
  }
  return changes;
}

void read_scores(const std::string& file, const std::vector<std::string>& heuristics,
                 const CampaignReport& campaign, SliceReport& report) {
  const auto known = changes(campaign);
  std::vector<std::vector<double>> scores(heuristics.size());
  std::vector<double> truth;
  std::multimap<std::int64_t, SliceReport::Picture*> pictured;
  for (SliceReport::Picture& picture : report.pictures) {
    for (const std::int64_t fault : std::set(picture.fault.begin(), picture.fault.end())) {
      pictured.emplace(fault, &picture);
    }
  }
  read_table(file, [&](const CsvRow& row) {
    const auto [begin, end] = pictured.equal_range(row.integer("fault"));
    for (auto entry = begin; entry != end; ++entry) {
      entry->second->names[entry->first] = fmt::format("{}, index {}, bit {}", row.text("layer"),
                                                       row.text("index"), row.text("bit"));
    }
    const auto found = known.find(
        {row.text("tensor"), row.integer("index"), static_cast<int>(row.integer("bit"))});
    if (found == known.end()) return;
    truth.push_back(found->second);
    for (std::size_t h = 0; h < heuristics.size(); ++h) {
      scores[h].push_back(row.number(heuristics[h]));
    }
  });
  if (truth.empty()) fail("report", "{}: {} knows none of its faults", file, campaign.store);
  for (std::size_t h = 0; h < heuristics.size(); ++h) {
    const bool sound = std::ranges::none_of(scores[h], [](double s) { return std::isnan(s); });
    SliceReport::Scores made{
        heuristics[h], sound ? spearman(scores[h], truth) : NAN, truth.size(), {}, {}};
    const std::size_t points = std::min(kPicturePoints, truth.size());
    for (std::size_t p = 0; p < points; ++p) {
      const std::size_t row = truth.size() * p / points;
      made.score.push_back(scores[h][row]);
      made.change.push_back(truth[row]);
    }
    report.scores.push_back(std::move(made));
  }
}

}  // namespace

SliceReport read_slices(const std::vector<std::string>& files, const CampaignReport& campaign) {
  SliceReport report;
  std::vector<std::pair<std::string, std::vector<std::string>>> scores;  // file, heuristics
  for (const std::string& file : files) {
    const std::vector<std::string> columns = table_columns(file);
    const auto has = [&](const char* name) { return std::ranges::count(columns, name) == 1; };
    if (has("slice") && has("x") && has("variance_shown")) {
      read_pictures(file, report);
    } else if (has("slice") && has("tensor") && has("bit")) {
      const auto first = std::ranges::find(columns, "slice") + 1;
      scores.emplace_back(file, std::vector<std::string>(first, columns.end()));
    } else {
      fail("report", "{} is no file of slice --out or slice --scatter", file);
    }
  }
  for (const auto& [file, heuristics] : scores) read_scores(file, heuristics, campaign, report);
  return report;
}

}  // namespace flipscope
