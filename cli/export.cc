// flipscope export: from a store to files for other programs.
#include "flipscope/campaign/export.h"

#include "export_rows.h"
#include "flipscope/campaign/store.h"
#include "flipscope/numeric/error.h"
#include "json.h"
#include "terminal.h"
#include "verbs.h"

namespace flipscope::cli {

namespace {

Json row_json(const RateRow& row) {
  Json::Object json;
  if (!row.layer.empty()) json.emplace_back("layer", row.layer);
  if (!row.tensor.empty()) json.emplace_back("tensor", row.tensor);
  if (row.index) json.emplace_back("index", *row.index);
  if (row.channel) json.emplace_back("channel", *row.channel);
  if (row.bit) json.emplace_back("bit", *row.bit);
  json.emplace_back("faults", row.faults);
  json.emplace_back("population", row.population);
  json.emplace_back("masked", Json(row.masked));
  json.emplace_back("non_critical", Json(row.non_critical));
  json.emplace_back("critical", Json(row.critical));
  json.emplace_back("due", Json(row.due));
  json.emplace_back("mean_delta", Json(row.mean_delta));
  return json;
}

Json::Array rate_rows(const std::string& store, Grouping by) {
  Json::Array rows;
  for (const RateRow& row : rates(store, by)) rows.push_back(row_json(row));
  return rows;
}

/// What would be written, by its name.
std::pair<std::string, Json> rows_asked_for(const Options& options) {
  if (options.grouping) return {"rates", rate_rows(options.store, *options.grouping)};
  if (options.sites) return {"sites", site_rows(options.store)};
  if (options.format == "fault-list") return {"faults", fault_list_rows(options.store)};
  return {"faults", fault_rows(options.store)};
}

}  // namespace

void describe_export(Command& command, Options& options) {
  command.heading("Arguments");
  command.argument("STORE", options.store, "A campaign's file.");
  command.heading("What to write");
  command.option(
      "format", "FORMAT",
      [&](const std::string& text) {
        if (text != "csv" && text != "fault-list" && text != "npz") {
          fail("usage", "--format is csv, fault-list or npz, not \"{}\"", text);
        }
        options.format = text;
      },
      "csv (default): a row for each fault; fault-list: the CSV that several groups share; npz: "
      "an array for each column.");
  command.option(
      "by", "GROUP", [&](const std::string& text) { options.grouping = parse_grouping(text); },
      "Rates with their intervals instead of faults, by bit, weight, channel, layer or model.");
  command.flag("sites", options.sites, "The bits of each trial that strikes several.");
  command.option("out", "FILE", options.out, "Where to write (default: standard output).");
  describe_common(command, options);
  command.example("export run.db --by layer --out layers.csv");
  command.example("export run.db --format fault-list --out faults.csv");
}

int export_store(const Options& options) {
  const int kinds =
      int{options.format != "csv"} + int{options.grouping.has_value()} + int{options.sites};
  if (kinds > 1)
    fail("usage", "export takes one of --by, --sites, --format fault-list, --format npz");
  if (options.format == "npz" && options.out.empty()) {
    fail("usage", "--format npz needs --out FILE.npz");
  }
  const std::uint64_t seed = Store::open(options.store).record().seed;
  if (options.json && options.out.empty()) {
    print(text(Json::Object{{"store", options.store}, {"seed", seed}, rows_asked_for(options)}));
    return 0;
  }
  if (options.grouping) {
    export_rates(options.store, *options.grouping, options.out);
  } else if (options.sites) {
    export_sites(options.store, options.out);
  } else if (options.format == "fault-list") {
    export_fault_list(options.store, options.out);
  } else if (options.format == "npz") {
    export_npz(options.store, options.out);
  } else {
    export_csv(options.store, options.out);
  }
  if (options.json) {
    print(text(Json::Object{{"store", options.store}, {"out", options.out}, {"seed", seed}}));
  } else if (!options.quiet && !options.out.empty()) {
    print(fmt::format("{} written (seed {})\n", options.out, seed));
  }
  return 0;
}

}  // namespace flipscope::cli
