#include "flipscope/campaign/oracle.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>

#include "flipscope/campaign/store.h"
#include "flipscope/fault/binary_search.h"
#include "flipscope/fault/fault_list.h"
#include "flipscope/numeric/error.h"
#include "flipscope/score/score.h"

namespace flipscope {
namespace {

std::string selection_of(const CampaignRecord& record) {
  const auto select = record.info.find("select");
  return select == record.info.end() ? "exhaustive" : select->second;
}

bool is_drawn(const std::string& select) {
  return select == "exhaustive" || select.starts_with("random:");
}

}  // namespace

Sensitive parse_sensitive(const std::string& text) {
  if (text == "worse") return Sensitive::worse;
  if (text == "different") return Sensitive::different;
  fail("usage", "--sensitive is worse or different, not \"{}\"", text);
}

Oracle read_oracle(const std::string& path, Sensitive sensitive, const char* verb) {
  const Store store = Store::open(path);
  const CampaignRecord& record = store.record();
  if (record.trials) fail(verb, "{}: rows are trials; an oracle has single-bit faults", path);
  const std::optional<double> golden = store.golden_score();
  const std::string select = selection_of(record);
  if (!is_drawn(select)) {
    fail(verb, "{} holds faults of --select {}; an oracle has --select exhaustive or random:N",
         path, select);
  }
  if (!golden || store.done_rows() != record.rows) {
    fail(verb,
         "{} holds {} of the {} faults of --select {}; an oracle is a campaign run to its end: run "
         "the same inject command again",
         path, store.done_rows(), record.rows, select);
  }
  Oracle oracle{FaultSpace(record.targets), {}, {}, {}, {}, {}};
  const bool higher = higher_is_better(record.fields.at("score"));
  double most = 0;
  bool is_stored = record.fields.at("faults") == "bit-flip";
  store.for_each_row([&](const FaultRow& row) {
    if (!row.site) return;
    oracle.numbers.push_back(oracle.space.number(*row.site));
    const double delta = row.score - *golden;
    oracle.magnitude.push_back(std::fabs(delta));
    if (std::isfinite(delta)) most = std::max(most, std::fabs(delta));
    const bool worse = std::isnan(delta) || (higher ? delta < 0 : delta > 0);
    const bool counts = sensitive == Sensitive::worse ? worse : delta != 0;
    oracle.sensitive.push_back(counts ? 1 : 0);
    is_stored = is_stored && row.golden && row.faulty;
    if (!is_stored) return;
    const double moved = std::fabs(*row.faulty - *row.golden);
    oracle.distance.push_back(std::isnan(moved) ? std::numeric_limits<double>::infinity() : moved);
    oracle.lowers.push_back(lowers(*row.golden, *row.faulty) ? 1 : 0);
  });
  assert(std::ranges::is_sorted(oracle.numbers));
  if (!is_stored) {
    oracle.distance.clear();
    oracle.lowers.clear();
  }
  for (double& m : oracle.magnitude) m = std::isfinite(m) ? m : most;
  return oracle;
}

Oracle read_complete_oracle(const std::string& path, Sensitive sensitive, const char* verb) {
  {
    const Store store = Store::open(path);
    const CampaignRecord& record = store.record();
    const std::string select = selection_of(record);
    const std::uint64_t all = FaultSpace(record.targets).size();
    if (!record.trials && !(is_drawn(select) && store.done_rows() == all)) {
      fail(verb,
           "{} holds {} faults of --select {}, and its space has {}; all are needed: --select "
           "exhaustive, run to its end",
           path, store.done_rows(), select, all);
    }
  }
  return read_oracle(path, sensitive, verb);
}

std::vector<std::uint64_t> read_order(const std::string& ranking, const Oracle& oracle,
                                      const char* verb) {
  std::vector<Part> parts;
  for (const FaultTarget& target : oracle.space.targets()) parts.push_back(target.part);
  std::vector<char> seen(oracle.size(), 0);
  std::vector<std::uint64_t> order;
  for (const FaultListEntry& entry : read_fault_list(ranking, oracle.space, parts)) {
    const FaultTarget& target = oracle.space.targets()[entry.site.target];
    if (!target.has(entry.site.index, entry.site.bit)) {
      fail(verb, "{}:{}: bit {} of '{}' is not in the oracle", ranking, entry.line, entry.site.bit,
           target.tensor);
    }
    const std::uint64_t number = oracle.space.number(entry.site);
    const auto found = std::ranges::lower_bound(oracle.numbers, number);
    if (found == oracle.numbers.end() || *found != number) continue;
    const auto bit = static_cast<std::uint64_t>(found - oracle.numbers.begin());
    if (seen[bit]++ != 0) {
      fail(verb, "{}:{}: bit {} of element {} of '{}' is ranked twice", ranking, entry.line,
           entry.site.bit, entry.site.index, target.tensor);
    }
    order.push_back(bit);
  }
  return order;
}

}  // namespace flipscope
