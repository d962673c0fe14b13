// Reads the words of the command line that a campaign's options are made of.
#include <array>
#include <charconv>
#include <cmath>
#include <string_view>

#include "flipscope/campaign/campaign.h"
#include "flipscope/model/number_text.h"
#include "flipscope/numeric/error.h"

namespace flipscope {
namespace {

struct Unit {
  std::string_view name;
  double bytes;
};

constexpr double kKibi = 1024.0;

constexpr std::array<Unit, 13> kUnits{{
    {"KiB", kKibi},
    {"MiB", kKibi* kKibi},
    {"GiB", kKibi* kKibi* kKibi},
    {"TiB", kKibi* kKibi* kKibi* kKibi},
    {"kB", 1e3},
    {"MB", 1e6},
    {"GB", 1e9},
    {"TB", 1e12},
    {"K", kKibi},
    {"M", kKibi* kKibi},
    {"G", kKibi* kKibi* kKibi},
    {"T", kKibi* kKibi* kKibi* kKibi},
    {"B", 1},
}};

}  // namespace

Shard parse_shard(const std::string& text) {
  Shard shard{0, 0};
  const char* const end = text.data() + text.size();
  const auto [slash, first] = std::from_chars(text.data(), end, shard.index);
  if (first == std::errc{} && slash != end && *slash == '/') {
    const auto [last, second] = std::from_chars(slash + 1, end, shard.count);
    if (second == std::errc{} && last == end && 1 <= shard.index && shard.index <= shard.count) {
      return shard;
    }
  }
  fail("campaign", "--shard '{}' is not K/N with 1 ≤ K ≤ N, such as 2/8", text);
}

std::size_t parse_memory(const std::string& text) {
  std::string_view digits = text;
  double unit = 1;
  for (const Unit& candidate : kUnits) {
    if (!digits.ends_with(candidate.name)) continue;
    digits.remove_suffix(candidate.name.size());
    unit = candidate.bytes;
    break;
  }
  const auto number = parse_number(digits);
  const double bytes = number ? *number * unit : -1;
  if (!(bytes >= 1) || bytes >= 0x1p63) {
    fail("campaign", "--memory '{}' is not a size such as 4GiB, 500M or 1e9", text);
  }
  return static_cast<std::size_t>(bytes);
}

Arithmetic parse_arithmetic(const std::string& text) {
  if (text == "exact") return Arithmetic::exact;
  if (text == "fast") return Arithmetic::fast;
  fail("campaign", "--arithmetic '{}' is neither exact nor fast", text);
}

Bar parse_bar(const std::string& text) {
  constexpr std::array<std::string_view, 5> kRates{"sdc", "critical", "due", "non-critical",
                                                   "masked"};
  const bool percent = text.ends_with('%');
  Bar bar;
  try {
    bar = parse_condition("--fail-if", percent ? text.substr(0, text.size() - 1) : text, kRates);
  } catch (const Error&) {
    fail("campaign",
         "--fail-if '{}' is not understood; write RATE>NUMBER or RATE>=NUMBER, as in 'sdc>0.01' or "
         "'due>1%', the rate one of {}",
         text, fmt::join(kRates, ", "));
  }
  if (percent) bar.bound /= 100;
  if (bar.name == "critical") bar.name = "sdc";
  if (bar.comparison != Condition::Comparison::greater &&
      bar.comparison != Condition::Comparison::greater_equal) {
    fail("campaign", "--fail-if '{}': a bar is broken from above, as in 'sdc>0.01'", text);
  }
  return bar;
}

std::optional<double> upper_bound(const Bar& bar, const CampaignSummary& summary) {
  if (summary.done == 0) return {};
  const std::optional<Rate>& rate = bar.name == "sdc"      ? summary.critical
                                    : bar.name == "due"    ? summary.due
                                    : bar.name == "masked" ? summary.masked
                                                           : summary.non_critical;
  if (!rate) {
    fail("campaign",
         "--fail-if: there is no rate '{}' without a decision; give --labels or --critical",
         bar.name);
  }
  return rate->interval.upper;
}

bool is_broken(const Bar& bar, const CampaignSummary& summary) {
  const std::optional<double> bound = upper_bound(bar, summary);
  return bound && bar(*bound);
}

}  // namespace flipscope
