// Rows of a store as text.
#include <memory>
#include <optional>

#include "flipscope/campaign/export.h"
#include "flipscope/campaign/store.h"
#include "flipscope/fault/fault_list.h"
#include "flipscope/fault/selection.h"
#include "flipscope/model/csv_line.h"
#include "flipscope/model/output_file.h"
#include "flipscope/numeric/error.h"
#include "flipscope/numeric/nan_sign.h"

namespace flipscope {
namespace {

std::string number(const std::optional<double>& value) {
  return value ? fmt::format("{}", without_nan_sign(*value)) : std::string();
}

void refuse_trials(const Store& store, const char* what) {
  if (store.record().trials) {
    fail("export", "{}: rows of {} are trials; {} needs single-bit faults", store.path(),
         store.record().fields.at("faults"), what);
  }
}

/// "layer,tensor," of each target, quoted where needed.
std::vector<std::string> names(const Store& store) {
  std::vector<std::string> names;
  for (const FaultTarget& target : store.record().targets) {
    names.push_back(csv_field(target.layer) + "," + csv_field(target.tensor) + ",");
  }
  return names;
}

}  // namespace

void export_csv(const std::string& path, const std::string& out) {
  const Store store = Store::open(path);
  const CampaignRecord& record = store.record();
  const std::vector<std::string> name = names(store);
  const double golden = store.golden_score().value_or(0);
  OutputFile file(out);
  file.write(
      "fault,layer,tensor,index,bit,from_msb,golden,faulty,samples,masked,non_critical,critical,"
      "due,"
      "score,delta\n");
  store.for_each_row([&](const FaultRow& row) {
    std::string line = fmt::format("{},", row.fault);
    if (row.site) {
      const FaultTarget& target = record.targets.at(row.site->target);
      line += fmt::format("{}{},{},{},", name[row.site->target], row.site->index, row.site->bit,
                          target.from_msb(row.site->index, row.site->bit));
    } else {
      line += ",,,,,";
    }
    line += fmt::format(
        "{},{},{},{},{},{},{},{},{}\n", number(row.golden), number(row.faulty), record.samples,
        record.has_masked ? std::to_string(row.outcomes.masked) : "", row.outcomes.non_critical,
        record.has_critical ? std::to_string(row.outcomes.critical) : "", row.outcomes.due,
        number(row.score), number(row.score - golden));
    file.write(line);
  });
  file.finish();
}

void export_fault_list(const std::string& path, const std::string& out) {
  const Store store = Store::open(path);
  refuse_trials(store, "a fault list");
  const CampaignRecord& record = store.record();
  const bool has_tensor = share_layers(record.targets);
  std::vector<std::string> name, tensor;
  for (const FaultTarget& target : record.targets) {
    name.push_back(csv_field(target.layer));
    tensor.push_back(has_tensor ? "," + csv_field(target.tensor) : "");
  }
  OutputFile file(out);
  file.write(
      fmt::format("Injection,Layer,TensorIndex,Bit,n_injections,masked,non_critical,critical{}\n",
                  has_tensor ? ",tensor" : ""));
  store.for_each_row([&](const FaultRow& row) {
    const FaultTarget& target = record.targets.at(row.site->target);
    file.write(fmt::format(
        "{},{},\"{}\",{},{},{},{},{}{}\n", row.fault, name[row.site->target],
        tensor_index(target.shape, row.site->index), row.site->bit, record.samples,
        record.has_masked ? std::to_string(row.outcomes.masked) : "", row.outcomes.non_critical,
        record.has_critical ? std::to_string(row.outcomes.critical + row.outcomes.due) : "",
        tensor[row.site->target]));
  });
  file.finish();
}

void export_sites(const std::string& path, const std::string& out) {
  const Store store = Store::open(path);
  const CampaignRecord& record = store.record();
  const std::vector<std::string> name = names(store);
  const FaultSpace space(record.targets);
  std::unique_ptr<Selection> selection;
  if (record.trials) {
    selection =
        draw_faults(space, parse_fault_model(record.fields.at("faults")),
                    parse_selection(record.info.at("select")), record.confidence, record.seed);
  }
  OutputFile file(out);
  file.write("fault,layer,tensor,index,bit\n");
  store.for_each_row([&](const FaultRow& row) {
    const std::vector<FaultSite> sites =
        row.site ? std::vector<FaultSite>{*row.site} : selection->fault(row.fault).sites;
    for (const FaultSite& site : sites) {
      file.write(fmt::format("{},{}{},{}\n", row.fault, name[site.target], site.index, site.bit));
    }
  });
  file.finish();
}

}  // namespace flipscope
