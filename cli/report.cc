// flipscope report: what stores say, as one page to pass on.
#include "flipscope/report/report.h"

#include "flipscope/model/output_file.h"
#include "flipscope/numeric/error.h"
#include "json.h"
#include "store_file.h"
#include "terminal.h"
#include "verbs.h"

namespace flipscope::cli {

void describe_report(Command& command, Options& options) {
  options.format = "html";
  command.heading("Arguments");
  command.arguments("STORE", options.stores, is_store, "Campaigns' files; several are compared.");
  command.heading("What goes in");
  command.option(
      "ranking", "FILE,...", options.rankings,
      "Rankings and fault lists, judged by the first store; curves of evaluate --out and "
      "--out-top, as they are.");
  command.option("vulnerability", "FOLDER", options.vulnerability_folder,
                 "What vulnerability --out wrote.");
  command.option("slice", "FILE,...", options.slices,
                 "What slice --out and slice --scatter wrote; scores are compared with the first "
                 "store.");
  command.option("plan", "FILE,...", options.plans,
                 "What protect --out wrote (csv or json), or protect --json printed: its bits, "
                 "judged by the first store, its cost and what it leaves.");
  command.option("costs", "FILE.csv", options.costs,
                 "Your columns for several stores, as compare takes them.");
  command.heading("What to write");
  command.option(
      "format", "FORMAT",
      [&](const std::string& text) {
        if (text != "html" && text != "md" && text != "csv" && text != "json") {
          fail("usage", "--format is html, md, csv or json, not \"{}\"", text);
        }
        options.format = text;
      },
      "html (default): one page that needs nothing else; md, csv, json: the same for pull requests "
      "and machines.");
  command.option("out", "FILE", options.out,
                 "Where to write (needed for html; else standard output).");
  describe_common(command, options);
  command.example("report run.db --out report.html");
  command.example("report small.db medium.db --costs synthesis.csv --format md");
  command.example("report run.db --ranking hessian.csv --plan plan.csv --out report.html");
}

int report(const Options& options) {
  if (options.stores.empty()) fail("usage", "report needs a STORE, the file of a campaign");
  const bool json_only = options.json && options.format == "html" && options.out.empty();
  const std::string format = json_only ? "json" : options.format;
  if (format == "html" && options.out.empty()) {
    fail("usage", "report needs --out FILE.html, or --format md, csv or json");
  }
  if (options.json && options.out.empty() && format != "json") {
    fail("usage",
         "--json prints JSON, not --format {}; give --format json, or --out FILE for the {}",
         format, format);
  }
  Report made = make_report({options.stores, options.rankings, options.vulnerability_folder,
                             options.slices, options.plans, options.costs});
  made.seed = options.campaign.seed;
  const std::string text = format == "html"  ? html(made)
                           : format == "md"  ? markdown(made)
                           : format == "csv" ? csv(made)
                                             : flipscope::json(made);
  OutputFile file(options.out);
  file.write(text);
  file.finish();
  if (options.out.empty()) return 0;
  if (options.json) {
    print(cli::text(Json::Object{{"stores", Json(options.stores)},
                                 {"out", options.out},
                                 {"bytes", std::uint64_t{text.size()}},
                                 {"seed", options.campaign.seed}}));
  } else if (!options.quiet) {
    print(fmt::format("{} written ({:.2g} MB, seed {})\n", options.out,
                      static_cast<double>(text.size()) / 1e6, options.campaign.seed));
  }
  return 0;
}

}  // namespace flipscope::cli
