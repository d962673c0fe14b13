#include "flipscope/campaign/verdicts.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "flipscope/campaign/store.h"
#include "flipscope/numeric/error.h"

namespace flipscope {
namespace {

struct Held {
  double magnitude = 0, critical = 0;
};

/// [target of the store] target of the space, −1: none.
std::vector<int> targets_in(const FaultSpace& space, const std::vector<FaultTarget>& targets) {
  std::vector<int> found;
  for (const FaultTarget& target : targets) {
    const auto same = std::ranges::find_if(space.targets(), [&](const FaultTarget& own) {
      return own.part == target.part && own.tensor == target.tensor &&
             own.elements == target.elements &&
             own.encoding.format.bits == target.encoding.format.bits &&
             own.encoding.elements == target.encoding.elements;
    });
    found.push_back(
        same == space.targets().end() ? -1 : static_cast<int>(same - space.targets().begin()));
  }
  return found;
}

}  // namespace

Verdicts read_verdicts(const std::string& path, const FaultSpace& space) {
  const Store store = Store::open(path);
  const CampaignRecord& record = store.record();
  if (record.trials) fail("slice", "{}: rows are trials; an oracle has single-bit faults", path);
  const std::optional<double> golden = store.golden_score();
  if (!golden) fail("slice", "{} holds no finished fault yet; run its inject to the end", path);
  const std::vector<int> target_in = targets_in(space, record.targets);
  std::map<std::uint64_t, Held> all;
  double most = 0;
  store.for_each_row([&](const FaultRow& row) {
    if (!row.site) return;
    FaultSite site = *row.site;
    site.target = target_in[site.target];
    if (site.target < 0) return;
    if (!space.targets()[site.target].has(site.index, site.bit)) return;
    const double magnitude = std::fabs(row.score - *golden);
    if (std::isfinite(magnitude)) most = std::max(most, magnitude);
    const auto critical = static_cast<double>(row.outcomes.critical);
    all[space.number(site)] = {magnitude, critical / static_cast<double>(record.samples)};
  });
  if (all.empty()) {
    fail("slice",
         "{} holds no fault of this fault space; give the same model, --in, --layers and --bits",
         path);
  }
  Verdicts verdicts;
  verdicts.samples = record.samples;
  for (const auto& [fault, held] : all) {
    verdicts.faults.push_back(fault);
    verdicts.magnitude.push_back(std::isfinite(held.magnitude) ? held.magnitude : most);
    verdicts.critical.push_back(held.critical);
  }
  return verdicts;
}

Verdicts among(const Verdicts& verdicts, const std::vector<std::uint64_t>& faults) {
  Verdicts some;
  some.samples = verdicts.samples;
  for (std::size_t k = 0; k < verdicts.faults.size(); ++k) {
    if (!std::ranges::binary_search(faults, verdicts.faults[k])) continue;
    some.faults.push_back(verdicts.faults[k]);
    some.magnitude.push_back(verdicts.magnitude[k]);
    some.critical.push_back(verdicts.critical[k]);
  }
  if (some.faults.empty()) fail("slice", "the oracle knows none of the faults that were drawn");
  return some;
}

}  // namespace flipscope
