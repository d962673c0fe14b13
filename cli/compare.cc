// flipscope compare: campaigns of several networks side by side.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>

#include "flipscope/analysis/pareto.h"
#include "flipscope/analysis/protection.h"
#include "flipscope/campaign/oracle.h"
#include "flipscope/campaign/output_file.h"
#include "flipscope/campaign/store.h"
#include "flipscope/fault/fault_list.h"
#include "flipscope/model/file_bytes.h"
#include "flipscope/model/number_text.h"
#include "flipscope/numeric/error.h"
#include "json.h"
#include "terminal.h"
#include "verbs.h"

namespace flipscope::cli {

namespace {

/// One campaign.
struct Design {
  std::string name;  ///< the store, without folder and ending
  std::string model;
  std::uint64_t bits = 0;
  double score = 0;                       ///< of the golden run
  Rate sensitive;                         ///< share of bits whose flip makes the score worse
  double harm = 0;                        ///< of all bits; NaN where not all were run
  std::vector<double> left;               ///< as harm_left() gives it
  std::optional<std::uint64_t> to_guard;  ///< bits to protect for the common residual error
  std::vector<std::string> costs;         ///< the user's columns
  bool on_front = false;
};

struct CostTable {
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> rows;  ///< a name, then the columns
};

std::vector<std::string> fields_of(const std::string& line) {
  std::vector<std::string> fields(1);
  bool quoted = false;
  for (const char c : line) {
    if (c == '"') {
      quoted = !quoted;
    } else if (c == ',' && !quoted) {
      fields.emplace_back();
    } else if (c != '\r') {
      fields.back() += c;
    }
  }
  return fields;
}

CostTable read_costs(const std::string& file) {
  CostTable table;
  if (file.empty()) return table;
  const std::string bytes = read_file_bytes(file);
  std::size_t number = 0;
  for (std::size_t from = 0; from < bytes.size();) {
    const std::size_t end = std::min(bytes.find('\n', from), bytes.size());
    std::vector<std::string> fields = fields_of(bytes.substr(from, end - from));
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
  }
  return table;
}

const char* direction(const std::string& score) {
  return score == "accuracy" ? "higher is better" : "lower is better";
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
    const double change = score == "accuracy" ? *golden - row.score : row.score - *golden;
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

/// The bits that each must protect so that all are left with the same error: the share `residual`
/// of the least error that any has without protection.
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

void add_costs(std::vector<Design>& designs, const CostTable& table, const std::string& file) {
  for (Design& design : designs) {
    if (table.columns.empty()) continue;
    const auto row = std::ranges::find_if(table.rows, [&](const std::vector<std::string>& fields) {
      return std::filesystem::path(fields[0]).stem() == design.name || fields[0] == design.model;
    });
    if (row == table.rows.end()) {
      fail("compare", "{}: no row is called '{}' (the store's name) or by its model", file,
           design.name);
    }
    design.costs.assign(row->begin() + 1, row->end());
  }
}

void mark_front(std::vector<Design>& designs, const std::string& score) {
  const double unknown = std::nan("");
  std::vector<std::vector<double>> rows;
  for (const Design& design : designs) {
    std::vector<double> row{static_cast<double>(design.bits),
                            score == "accuracy" ? -design.score : design.score,
                            design.to_guard ? static_cast<double>(*design.to_guard) : unknown};
    for (const std::string& cost : design.costs) {
      row.push_back(parse_number(cost).value_or(unknown));
    }
    rows.push_back(std::move(row));
  }
  const std::vector<bool> front = pareto_front(rows);
  for (std::size_t d = 0; d < designs.size(); ++d) designs[d].on_front = front[d];
}

void write_csv(const std::vector<Design>& designs, const CostTable& costs,
               const ProtectionCost& cost, const std::string& out) {
  OutputFile file(out);
  std::string header =
      "name,model,bits,score,sensitive,sensitive_lower,sensitive_upper,protected,protection_area";
  for (const std::string& column : costs.columns) header += "," + csv_field(column);
  file.write(header + ",pareto\n");
  for (const Design& d : designs) {
    std::string line =
        fmt::format("{},{},{},{},{},{},{}", csv_field(d.name), csv_field(d.model), d.bits, d.score,
                    d.sensitive.mean, d.sensitive.interval.lower, d.sensitive.interval.upper);
    line += d.to_guard ? fmt::format(",{},{}", *d.to_guard,
                                     static_cast<double>(*d.to_guard) * cost.per_bit())
                       : ",,";
    for (const std::string& one : d.costs) line += "," + csv_field(one);
    file.write(line + (d.on_front ? ",1\n" : ",0\n"));
  }
  file.finish();
}

std::string json_text(const std::vector<Design>& designs, const CostTable& costs,
                      const ProtectionCost& cost, const std::string& score, double residual) {
  Json::Array rows;
  for (const Design& d : designs) {
    Json::Object own;
    for (std::size_t k = 0; k < d.costs.size(); ++k) {
      const auto number = parse_number(d.costs[k]);
      own.emplace_back(costs.columns[k], number ? Json(*number) : Json(d.costs[k]));
    }
    std::optional<double> area;
    if (d.to_guard) area = static_cast<double>(*d.to_guard) * cost.per_bit();
    rows.push_back(Json::Object{{"name", d.name},
                                {"model", d.model},
                                {"bits", d.bits},
                                {"score", d.score},
                                {"sensitive", Json(d.sensitive)},
                                {"protected", Json(d.to_guard)},
                                {"protection_area", Json(area)},
                                {"costs", std::move(own)},
                                {"pareto", d.on_front}});
  }
  return text(Json::Object{{"score", score}, {"residual", residual}, {"designs", std::move(rows)}});
}

std::string table_text(const std::vector<Design>& designs, const CostTable& costs,
                       const ProtectionCost& cost, const std::string& score, double residual) {
  std::vector<std::string> header{"", "name", "bits", score, "sensitive", "to protect", "area"};
  header.insert(header.end(), costs.columns.begin(), costs.columns.end());
  Table table(header, "llrrrrr" + std::string(costs.columns.size(), 'r'));
  for (const Design& d : designs) {
    std::vector<std::string> row{d.on_front ? "*" : "", d.name, grouped(d.bits),
                                 number_text(d.score), rate_text(d.sensitive)};
    row.push_back(d.to_guard ? grouped(*d.to_guard) : "");
    row.push_back(d.to_guard ? number_text(static_cast<double>(*d.to_guard) * cost.per_bit()) : "");
    row.insert(row.end(), d.costs.begin(), d.costs.end());
    table.row(std::move(row));
  }
  return table.text() +
         fmt::format(
             "\n*: on the Pareto front of bits, {} ({}), bits to protect and your columns (lower "
             "is better).\nsensitive: bits whose flip makes the score worse. to protect: the bits "
             "that leave every network with the\nsame error of single flips, {} of what the best "
             "has without protection; area in registers.\n",
             score, direction(score), percent(residual));
}

}  // namespace

void describe_compare(Command& command, Options& options) {
  command.heading("Arguments");
  command.arguments("STORE", options.stores, "Campaigns of single-bit faults, with one score.");
  command.heading("Comparison");
  command.option("costs", "FILE.csv", options.costs,
                 "Your columns: a header, then a row for each store, its name first; lower is "
                 "better.");
  command.option("residual", "SHARE", options.residual,
                 "The error that is left to all, as a share of the least that any has (default: "
                 "0.1).");
  command.option("cost", "REGISTERS,VOTER", options.protection_cost,
                 "What a protected bit adds, in areas of one register (default: 2,0.6).");
  command.option("out", "FILE.csv", options.out, "The table as CSV.");
  describe_common(command, options);
  command.example("compare wide.db narrow.db --costs synthesis.csv --out designs.csv");
}

int compare(const Options& options) {
  const ProtectionCost cost = parse_protection_cost(options.protection_cost);
  if (options.residual > 1) fail("usage", "--residual is a share, from 0 to 1");
  const CostTable costs = read_costs(options.costs);
  std::string score;
  std::vector<Design> designs;
  for (const std::string& store : options.stores) designs.push_back(read_design(store, score));
  set_protection(designs, options.residual);
  add_costs(designs, costs, options.costs);
  mark_front(designs, score);
  if (!options.out.empty()) write_csv(designs, costs, cost, options.out);
  if (options.json) {
    print(json_text(designs, costs, cost, score, options.residual));
  } else if (!options.quiet) {
    print(table_text(designs, costs, cost, score, options.residual));
  }
  return 0;
}

}  // namespace flipscope::cli
