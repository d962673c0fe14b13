#include "flipscope/report/design_space.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>
#include <string_view>

#include "flipscope/analysis/pareto.h"
#include "flipscope/analysis/protection.h"
#include "flipscope/campaign/store.h"
#include "flipscope/fault/fault_space.h"
#include "flipscope/model/csv_line.h"
#include "flipscope/model/file_bytes.h"
#include "flipscope/model/number_text.h"
#include "flipscope/numeric/error.h"
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
      if (field.empty() || is_number(table.rows[r])) continue;
      fail("compare", "{}:{}: '{}' in column '{}' is no number; leave it empty where there is none",
           file, lines[r], field, table.columns[k - 1]);
    }
  }
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
  std::uint64_t worse = 0, rows = 0;
  std::vector<double> harm;
  store.for_each_row([&](const FaultRow& row) {
    const double change = higher_is_better(score) ? *golden - row.score : row.score - *golden;
    ++rows;
    worse += change > 0 || std::isnan(change) ? 1 : 0;
    if (std::isfinite(change)) harm.push_back(std::max(change, 0.0));
  });
  const auto n = static_cast<double>(rows);
  design.sensitive = {static_cast<double>(worse) / n,
                      wilson_interval(static_cast<double>(worse), n, 0.95,
                                      rows == record.rows ? record.population : 0)};
  design.harm = std::nan("");
  if (rows == design.bits && harm.size() == rows) {
    design.left = harm_left(harm, order_by_harm(harm));
    design.harm = 0;
    for (const double one : harm) design.harm += one;
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
