#include "export_rows.h"

#include <memory>

#include "flipscope/campaign/store.h"
#include "flipscope/fault/fault_list.h"
#include "flipscope/fault/selection.h"
#include "flipscope/numeric/error.h"

namespace flipscope::cli {

namespace {

const FaultTarget& target_of(const CampaignRecord& record, const FaultSite& site) {
  return record.targets.at(static_cast<std::size_t>(site.target));
}

Json when(bool known, std::uint64_t count) {
  return known ? Json(count) : Json();
}

}  // namespace

Json::Array fault_rows(const std::string& path) {
  const Store store = Store::open(path);
  const CampaignRecord& record = store.record();
  const double golden = store.golden_score().value_or(0);
  Json::Array rows;
  store.for_each_row([&](const FaultRow& row) {
    Json::Object fields{{"fault", row.fault}, {"layer", {}}, {"tensor", {}},
                        {"index", {}},        {"bit", {}},   {"from_msb", {}}};
    if (row.site) {
      const FaultTarget& target = target_of(record, *row.site);
      fields[1].second = target.layer;
      fields[2].second = target.tensor;
      fields[3].second = row.site->index;
      fields[4].second = row.site->bit;
      fields[5].second = target.from_msb(row.site->index, row.site->bit);
    }
    fields.emplace_back("golden", Json(row.golden));
    fields.emplace_back("faulty", Json(row.faulty));
    fields.emplace_back("samples", record.samples);
    fields.emplace_back("masked", when(record.has_masked, row.outcomes.masked));
    fields.emplace_back("non_critical", row.outcomes.non_critical);
    fields.emplace_back("critical", when(record.has_critical, row.outcomes.critical));
    fields.emplace_back("due", row.outcomes.due);
    fields.emplace_back("score", row.score);
    fields.emplace_back("delta", row.score - golden);
    rows.emplace_back(std::move(fields));
  });
  return rows;
}

Json::Array fault_list_rows(const std::string& path) {
  const Store store = Store::open(path);
  const CampaignRecord& record = store.record();
  if (record.trials) {
    fail("export", "{}: rows of {} are trials; a fault list needs single-bit faults", path,
         record.fields.at("faults"));
  }
  const bool has_tensor = share_layers(record.targets);
  Json::Array rows;
  store.for_each_row([&](const FaultRow& row) {
    const FaultTarget& target = target_of(record, *row.site);
    const OutcomeCounts& outcomes = row.outcomes;
    Json::Object fields{{"Injection", row.fault},
                        {"Layer", target.layer},
                        {"TensorIndex", tensor_index(target.shape, row.site->index)},
                        {"Bit", row.site->bit},
                        {"n_injections", record.samples},
                        {"masked", when(record.has_masked, outcomes.masked)},
                        {"non_critical", outcomes.non_critical},
                        {"critical", when(record.has_critical, outcomes.critical + outcomes.due)}};
    if (has_tensor) fields.emplace_back("tensor", target.tensor);
    rows.emplace_back(std::move(fields));
  });
  return rows;
}

Json::Array site_rows(const std::string& path) {
  const Store store = Store::open(path);
  const CampaignRecord& record = store.record();
  const FaultSpace space(record.targets);
  std::unique_ptr<Selection> selection;
  if (record.trials) {
    selection =
        draw_faults(space, parse_fault_model(record.fields.at("faults")),
                    parse_selection(record.info.at("select")), record.confidence, record.seed);
  }
  Json::Array rows;
  store.for_each_row([&](const FaultRow& row) {
    const std::vector<FaultSite> sites =
        row.site ? std::vector<FaultSite>{*row.site} : selection->fault(row.fault).sites;
    for (const FaultSite& site : sites) {
      const FaultTarget& target = target_of(record, site);
      rows.push_back(Json::Object{{"fault", row.fault},
                                  {"layer", target.layer},
                                  {"tensor", target.tensor},
                                  {"index", site.index},
                                  {"bit", site.bit}});
    }
  });
  return rows;
}

}  // namespace flipscope::cli
