// Rows of a store as NumPy arrays.
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "flipscope/campaign/export.h"
#include "flipscope/campaign/npy_bytes.h"
#include "flipscope/campaign/npz_archive.h"
#include "flipscope/campaign/store.h"
#include "flipscope/model/file_bytes.h"
#include "flipscope/numeric/error.h"

namespace flipscope {
void export_npz(const std::string& path, const std::string& out) {
  if (out.empty()) fail("export", "npz is binary: give --out FILE.npz");
  const Store store = Store::open(path);
  const CampaignRecord& record = store.record();
  const double golden_score = store.golden_score().value_or(0);
  constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
  using Integers = std::vector<std::int64_t>;
  Integers fault, target, index, bit, from_msb, masked, non_critical, critical, due;
  std::vector<double> golden, faulty, score, delta;
  store.for_each_row([&](const FaultRow& row) {
    fault.push_back(static_cast<std::int64_t>(row.fault));
    target.push_back(row.site ? row.site->target : -1);
    index.push_back(row.site ? row.site->index : -1);
    bit.push_back(row.site ? row.site->bit : -1);
    from_msb.push_back(
        row.site ? record.targets.at(row.site->target).from_msb(row.site->index, row.site->bit)
                 : -1);
    golden.push_back(row.golden.value_or(kNone));
    faulty.push_back(row.faulty.value_or(kNone));
    masked.push_back(record.has_masked ? std::int64_t{row.outcomes.masked} : -1);
    non_critical.push_back(row.outcomes.non_critical);
    critical.push_back(record.has_critical ? std::int64_t{row.outcomes.critical} : -1);
    due.push_back(row.outcomes.due);
    score.push_back(row.score);
    delta.push_back(row.score - golden_score);
  });
  std::vector<std::string> layers, tensors;
  for (const FaultTarget& t : record.targets) {
    layers.push_back(t.layer);
    tensors.push_back(t.tensor);
  }
  const Shape rows{static_cast<std::int64_t>(fault.size())};
  const Integers samples(fault.size(), record.samples);
  NpzArchive archive("export");
  const std::pair<const char*, const Integers*> integers[] = {
      {"fault", &fault},       {"layer", &target},  {"tensor", &target},
      {"index", &index},       {"bit", &bit},       {"from_msb", &from_msb},
      {"samples", &samples},   {"masked", &masked}, {"non_critical", &non_critical},
      {"critical", &critical}, {"due", &due}};
  for (const auto& [name, values] : integers)
    archive.add(name, npy_bytes(rows, std::span(*values)));
  const std::pair<const char*, const std::vector<double>*> reals[] = {
      {"golden", &golden}, {"faulty", &faulty}, {"score", &score}, {"delta", &delta}};
  for (const auto& [name, values] : reals) archive.add(name, npy_bytes(rows, std::span(*values)));
  archive.add("layers", npy_texts(layers));
  archive.add("tensors", npy_texts(tensors));
  write_file_atomically(out, archive.finish());
}

}  // namespace flipscope
