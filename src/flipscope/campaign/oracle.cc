#include "flipscope/campaign/oracle.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "flipscope/campaign/store.h"
#include "flipscope/fault/fault_list.h"
#include "flipscope/numeric/error.h"

namespace flipscope {
namespace {

/// Whether a bit of a stored word was 1 before it was flipped, from the numbers that the word stood
/// for. `format` is how the store spells the encoding. Setting a bit raises an integer, but the
/// sign bit lowers it; it raises the magnitude of a float or power of two, whose sign bit is 1
/// below zero.
bool was_one(const std::string& format, bool is_top, double golden, double faulty) {
  const auto is = [&](const char* name) { return format.find(name) != std::string::npos; };
  const bool is_signed = !is("uint") && !is("ufixed") && !is("upo2") && !is("bipolar");
  const bool is_sign = is_top && is_signed;
  if (is("float") || is("po2")) {
    return is_sign ? std::signbit(golden) : std::fabs(faulty) < std::fabs(golden);
  }
  return is_sign ? faulty > golden : faulty < golden;
}

}  // namespace

Sensitive parse_sensitive(const std::string& text) {
  if (text == "worse") return Sensitive::worse;
  if (text == "different") return Sensitive::different;
  fail("usage", "--sensitive is worse or different, not \"{}\"", text);
}

Oracle read_oracle(const std::string& path, Sensitive sensitive) {
  const Store store = Store::open(path);
  const CampaignRecord& record = store.record();
  if (record.trials) fail("evaluate", "{}: rows are trials; an oracle has single-bit faults", path);
  const std::optional<double> golden = store.golden_score();
  Oracle oracle{FaultSpace(record.targets), {}, {}, {}, {}};
  const std::uint64_t size = oracle.space.size();
  if (!golden || store.done_rows() != size || record.rows != size) {
    fail("evaluate",
         "{} holds {} of the {} faults of its space; an oracle needs all (--select exhaustive, run "
         "to its end)",
         path, store.done_rows(), size);
  }
  const bool higher_is_better = record.fields.at("score") == "accuracy";
  oracle.magnitude.assign(size, 0.0);
  oracle.sensitive.assign(size, 0);
  double most = 0;
  bool is_stored = record.fields.at("faults") == "bit-flip";
  oracle.distance.assign(size, 0.0);
  oracle.is_one.assign(size, 0);
  store.for_each_row([&](const FaultRow& row) {
    if (!row.site) return;
    const std::uint64_t at = oracle.space.number(*row.site);
    const double delta = row.score - *golden;
    oracle.magnitude[at] = std::fabs(delta);
    if (std::isfinite(delta)) most = std::max(most, std::fabs(delta));
    const bool worse = std::isnan(delta) || (higher_is_better ? delta < 0 : delta > 0);
    const bool counts = sensitive == Sensitive::worse ? worse : delta != 0;
    oracle.sensitive[at] = counts ? 1 : 0;
    is_stored = is_stored && row.golden && row.faulty;
    if (!is_stored) return;
    const double moved = std::fabs(*row.faulty - *row.golden);
    oracle.distance[at] = std::isnan(moved) ? std::numeric_limits<double>::infinity() : moved;
    const int width = record.targets[row.site->target].encoding.format.bits;
    oracle.is_one[at] = was_one(record.formats[row.site->target], row.site->bit == width - 1,
                                *row.golden, *row.faulty)
                            ? 1
                            : 0;
  });
  if (!is_stored) {
    oracle.distance.clear();
    oracle.is_one.clear();
  }
  for (double& m : oracle.magnitude) m = std::isfinite(m) ? m : most;
  return oracle;
}

std::vector<std::uint64_t> read_order(const std::string& ranking, const Oracle& oracle) {
  std::vector<Part> parts;
  for (const FaultTarget& target : oracle.space.targets()) parts.push_back(target.part);
  std::vector<char> seen(oracle.space.size(), 0);
  std::vector<std::uint64_t> order;
  for (const FaultListEntry& entry : read_fault_list(ranking, oracle.space, parts)) {
    const FaultTarget& target = oracle.space.targets()[entry.site.target];
    if (!std::ranges::binary_search(target.bits, entry.site.bit)) {
      fail("evaluate", "{}:{}: bit {} of '{}' is not in the oracle", ranking, entry.line,
           entry.site.bit, target.tensor);
    }
    const std::uint64_t fault = oracle.space.number(entry.site);
    if (seen[fault]++ != 0) {
      fail("evaluate", "{}:{}: bit {} of element {} of '{}' is ranked twice", ranking, entry.line,
           entry.site.bit, entry.site.index, target.tensor);
    }
    order.push_back(fault);
  }
  return order;
}

}  // namespace flipscope
