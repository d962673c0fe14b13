#include "flipscope/report/design_space.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>
#include <map>
#include <numeric>
#include <string_view>

#include "flipscope/analysis/pareto.h"
#include "flipscope/analysis/protection.h"
#include "flipscope/campaign/outcome_sums.h"
#include "flipscope/campaign/run_plan.h"
#include "flipscope/campaign/store.h"
#include "flipscope/fault/fault_space.h"
#include "flipscope/model/csv_line.h"
#include "flipscope/model/file_bytes.h"
#include "flipscope/model/number_text.h"
#include "flipscope/numeric/error.h"
#include "flipscope/numeric/stratified.h"
#include "flipscope/score/score.h"

namespace flipscope {

namespace {

/// A column holds numbers or words; among numbers a word is a slip.
void check_columns(const CostTable& table, const std::vector<std::size_t>& lines,
                   const std::string& file) {
  for (std::size_t k = 1; k <= table.columns.size(); ++k) {
    const auto is_number = [k](const auto& row) { return parse_number(row[k]).has_value(); };
    if (std::ranges::none_of(table.rows, is_number)) continue;
    for (std::size_t r = 0; r < table.rows.size(); ++r) {
      const std::string& field = table.rows[r][k];
      const std::optional<double> number = parse_number(field);
      if (field.empty() || (number && std::isfinite(*number))) continue;
      fail("compare", "{}:{}: '{}' in column '{}' is no number; leave it empty where there is none",
           file, lines[r], field, table.columns[k - 1]);
    }
  }
}

/// The share of faults that `strata` count as successes.
Rate sensitive_share(const std::map<StratumKey, StratumSample>& strata,
                     const CampaignRecord& record, bool complete) {
  std::vector<StratumSample> drawn;
  for (const auto& [key, stratum] : strata) {
    drawn.push_back(stratum);
    drawn.back().population = population_of(record, key);
  }
  if (drawn.size() > 1) {
    const StratifiedShare share = stratified_share(drawn, record.confidence);
    return {share.mean, share.interval};
  }
  const auto faults = static_cast<std::uint64_t>(drawn.front().n);
  return make_rate(drawn.front().successes / drawn.front().n, faults,
                   record.drawn_from(complete, faults, drawn.front().population),
                   record.confidence);
}

/// Changes for the better harm nobody; what is no number does the largest harm that is one.
void make_harm(std::vector<double>& changes) {
  double most = 0;
  for (const double change : changes) {
    if (std::isfinite(change)) most = std::max(most, change);
  }
  for (double& change : changes) change = change < 0 ? 0 : std::isfinite(change) ? change : most;
}

}  // namespace

CostTable read_costs(const std::string& file) {
  CostTable table;
  std::vector<std::size_t> lines;
  const std::string bytes = read_file_bytes(file);
  std::size_t number = 0;
  for (std::size_t from = 0; from < bytes.size();) {
    const std::size_t end = std::min(bytes.find('\n', from), bytes.size());
    std::string_view line = std::string_view(bytes).substr(from, end - from);
    if (line.ends_with('\r')) line.remove_suffix(1);
    std::vector<std::string> fields = csv_fields(line);
    from = end + 1;
    ++number;
    if (fields.size() == 1 && fields[0].empty()) continue;
    if (table.columns.empty()) {
      if (fields.size() < 2) fail("compare", "{}: its first line names a store and costs", file);
      table.columns.assign(fields.begin() + 1, fields.end());
      continue;
    }
    if (fields.size() != table.columns.size() + 1) {
      fail("compare", "{}:{}: has {} fields; the first line has {}", file, number, fields.size(),
           table.columns.size() + 1);
    }
    if (std::ranges::any_of(table.rows, [&](const auto& row) { return row[0] == fields[0]; })) {
      fail("compare", "{}:{}: a second row of '{}'", file, number, fields[0]);
    }
    table.rows.push_back(std::move(fields));
    lines.push_back(number);
  }
  check_columns(table, lines, file);
  return table;
}

Design read_design(const std::string& path, std::string& score_name) {
  const Store store = Store::open(path);
  const CampaignRecord& record = store.record();
  if (record.trials)
    fail("compare", "{}: rows are trials; give campaigns of single-bit faults", path);
  const auto golden = store.golden_score();
  const std::string score = record.fields.at("score");
  if (!golden || store.done_rows() == 0) fail("compare", "{} holds no faults yet", path);
  if (score_name.empty()) score_name = score;
  if (score != score_name) {
    fail("compare", "{} has the score {}, the stores before it {}", path, score, score_name);
  }
  Design design{.name = std::filesystem::path(path).stem().string(),
                .model = record.info.at("model"),
                .bits = FaultSpace(record.targets).size(),
                .score = *golden};
  const bool complete = store.is_complete();
  std::map<StratumKey, StratumSample> strata;
  std::vector<double> harm;
  store.for_each_row([&](const FaultRow& row) {
    const double change = higher_is_better(score) ? *golden - row.score : row.score - *golden;
    StratumSample& stratum = strata[complete ? stratum_of(record, *row.site) : StratumKey{-1, -1}];
    ++stratum.n;
    stratum.successes += change > 0 || std::isnan(change) ? 1 : 0;
    harm.push_back(change);
  });
  design.sensitive = sensitive_share(strata, record, complete);
  if (!complete) {
    design.note = "not all of its faults are done, and those that are make no sample";
  } else if (!record.is_sample()) {
    design.note =
        "its faults were picked; \"sensitive\" is of them alone, and no rate of the network";
  }
  design.harm = std::nan("");
  if (harm.size() == design.bits) {
    make_harm(harm);
    design.left = harm_left(harm, order_by_harm(harm));
    design.harm = std::accumulate(harm.begin(), harm.end(), 0.0);
  }
  return design;
}

std::vector<std::string> costs_of(const CostTable& table, const std::string& file,
                                  const std::string& name, const std::string& model) {
  const auto row = std::ranges::find_if(table.rows, [&](const std::vector<std::string>& fields) {
    return std::filesystem::path(fields[0]).stem() == name || fields[0] == model;
  });
  if (row == table.rows.end()) {
    fail("compare", "{}: no row is called '{}' (the store's name) or by its model", file, name);
  }
  return {row->begin() + 1, row->end()};
}

void set_protection(std::vector<Design>& designs, double residual) {
  double least = std::numeric_limits<double>::infinity();
  for (const Design& design : designs) {
    if (design.harm > 0) least = std::min(least, design.harm);
  }
  for (Design& design : designs) {
    if (std::isnan(design.harm)) continue;
    const auto enough = std::ranges::find_if(
        design.left, [&](double share) { return share * design.harm <= residual * least; });
    design.to_guard = static_cast<std::uint64_t>(enough - design.left.begin());
  }
}

void mark_front(std::vector<Design>& designs, const std::string& score_name) {
  const double unknown = std::nan("");
  std::vector<std::vector<double>> rows;
  for (const Design& design : designs) {
    std::vector<double> row{static_cast<double>(design.bits),
                            higher_is_better(score_name) ? -design.score : design.score,
                            design.to_guard ? static_cast<double>(*design.to_guard) : unknown};
    for (const std::string& cost : design.costs) {
      row.push_back(parse_number(cost).value_or(unknown));
    }
    rows.push_back(std::move(row));
  }
  const std::vector<bool> front = pareto_front(rows);
  for (std::size_t d = 0; d < designs.size(); ++d) designs[d].on_front = front[d];
}

}  // namespace flipscope
