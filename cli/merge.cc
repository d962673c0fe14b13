// flipscope merge: shards of one campaign into one store.
#include "flipscope/campaign/export.h"
#include "flipscope/model/output_file.h"
#include "flipscope/numeric/error.h"
#include "store_file.h"
#include "summary.h"
#include "terminal.h"
#include "verbs.h"

namespace flipscope::cli {

void describe_merge(Command& command, Options& options) {
  command.heading("Arguments");
  command.arguments("STORE", options.stores, is_store,
                    "Stores of one campaign, as inject --shard fills them.");
  command.option("out", "FILE", options.out, "The store to make.");
  describe_common(command, options);
  command.example("merge part1.db part2.db part3.db --out run.db");
}

int merge(const Options& options) {
  if (options.out.empty()) fail("usage", "merge needs --out FILE, the store to make");
  check_writable(options.out);
  const CampaignSummary summary = merge_stores(options.stores, options.out);
  if (options.json) {
    print(summary_json(summary, options.out));
  } else if (!options.quiet) {
    print(summary_text(summary, options.out));
  }
  return 0;
}

}  // namespace flipscope::cli
