// flipscope compare: campaigns of several networks side by side.
#include "flipscope/analysis/protection.h"
#include "flipscope/model/csv_line.h"
#include "flipscope/model/number_text.h"
#include "flipscope/model/output_file.h"
#include "flipscope/numeric/error.h"
#include "flipscope/report/design_space.h"
#include "flipscope/score/score.h"
#include "json.h"
#include "store_file.h"
#include "terminal.h"
#include "verbs.h"

namespace flipscope::cli {

namespace {

const char* direction(const std::string& score) {
  return higher_is_better(score) ? "higher is better" : "lower is better";
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
                      const ProtectionCost& cost, const std::string& score, double residual,
                      std::uint64_t seed) {
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
                                {"note", d.note},
                                {"protected", Json(d.to_guard)},
                                {"protection_area", Json(area)},
                                {"costs", std::move(own)},
                                {"pareto", d.on_front}});
  }
  return text(Json::Object{
      {"score", score}, {"residual", residual}, {"designs", std::move(rows)}, {"seed", seed}});
}

std::string table_text(const std::vector<Design>& designs, const CostTable& costs,
                       const ProtectionCost& cost, const std::string& score, double residual,
                       std::uint64_t seed) {
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
  std::string notes;
  for (const Design& d : designs) {
    if (!d.note.empty()) notes += fmt::format("note: {}: {}\n", d.name, d.note);
  }
  return table.text() +
         fmt::format(
             "\n*: on the Pareto front of bits, {} ({}), bits to protect and your columns (lower "
             "is better).\nsensitive: bits whose flip makes the score worse. to protect: the bits "
             "that leave every network with the\nsame error of single flips, {} of what the best "
             "has without protection; area in registers. Seed {}.\n",
             score, direction(score), percent(residual), seed) +
         notes;
}

}  // namespace

void describe_compare(Command& command, Options& options) {
  command.heading("Arguments");
  command.arguments("STORE", options.stores, is_store,
                    "Campaigns of single-bit faults, with one score.");
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
  const CostTable costs = options.costs.empty() ? CostTable{} : read_costs(options.costs);
  std::string score;
  std::vector<Design> designs;
  for (const std::string& store : options.stores) designs.push_back(read_design(store, score));
  set_protection(designs, options.residual);
  if (!costs.columns.empty()) {
    for (Design& design : designs) {
      design.costs = costs_of(costs, options.costs, design.name, design.model);
    }
  }
  mark_front(designs, score);
  if (!options.out.empty()) write_csv(designs, costs, cost, options.out);
  if (options.json) {
    print(json_text(designs, costs, cost, score, options.residual, options.campaign.seed));
  } else if (!options.quiet) {
    print(table_text(designs, costs, cost, score, options.residual, options.campaign.seed));
  }
  return 0;
}

}  // namespace flipscope::cli
