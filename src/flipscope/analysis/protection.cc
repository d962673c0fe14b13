#include "flipscope/analysis/protection.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>
#include <string_view>

#include "flipscope/model/number_text.h"
#include "flipscope/numeric/deterministic_math.h"
#include "flipscope/numeric/error.h"

namespace flipscope {
namespace {

/// "3%" or "0.03".
std::optional<double> share_of(std::string_view text) {
  const bool percent = text.ends_with('%');
  if (percent) text.remove_suffix(1);
  const std::optional<double> number = parse_number(text);
  if (!number || !(*number >= 0)) return {};
  return percent ? *number / 100 : *number;
}

double mean_change(double lambda, double ceiling) {
  return -ceiling * det::expm1(-lambda / ceiling);
}

}  // namespace

ProtectionCost parse_protection_cost(const std::string& text) {
  const auto comma = text.find(',');
  if (comma != std::string::npos) {
    const auto registers = parse_number(text.substr(0, comma));
    const auto voter = parse_number(text.substr(comma + 1));
    if (registers && voter && *registers >= 0 && *voter >= 0 && *registers + *voter > 0 &&
        std::isfinite(*registers + *voter)) {
      return {*registers, *voter};
    }
  }
  fail("protect",
       "--cost '{}' is not REGISTERS,VOTER: what a protected bit adds, in areas of one register, "
       "such as 2,0.6",
       text);
}

Budget parse_budget(const std::string& text) {
  using Kind = Budget::Kind;
  const std::string_view view = text;
  const auto colon = view.find(':');
  const std::string_view name = view.substr(0, colon);
  const auto value = share_of(colon == std::string_view::npos ? view : view.substr(colon + 1));
  const bool is_share = value && *value <= 1;
  if (colon == std::string_view::npos && value && !view.ends_with('%') &&
      *value == std::floor(*value) && *value < 0x1p53) {
    return {Kind::bits, *value, text};
  }
  if (colon != std::string_view::npos) {
    if (name == "bits" && is_share) return {Kind::share, *value, text};
    if (name == "area" && value && std::isfinite(*value)) return {Kind::area, *value, text};
    if (name == "residual" && is_share) return {Kind::residual, *value, text};
  }
  const bool has_percent = value && view.ends_with('%');
  if ((name == "bits" || name == "residual") && has_percent) {
    fail("protect", "--budget '{}' is more than 100%", text);
  }
  if (name == "bits" && value) {
    fail("protect",
         "--budget '{}': a share of all bits has a percent sign, bits:3%; a number of bits stands "
         "alone, 3",
         text);
  }
  fail("protect", "--budget '{}' is none of N, bits:3%, area:6%, residual:10%", text);
}

std::vector<double> harm_left(const std::vector<double>& harm,
                              const std::vector<std::uint64_t>& order) {
  // From the end, so that what is left of nothing is exactly 0.
  std::vector<char> named(harm.size(), 0);
  for (const std::uint64_t fault : order) named[fault] = 1;
  double sum = 0;
  for (std::size_t f = 0; f < harm.size(); ++f) sum += named[f] ? 0 : harm[f];
  std::vector<double> left(order.size() + 1, sum);
  for (std::size_t n = order.size(); n-- > 0;) left[n] = left[n + 1] + harm[order[n]];
  const double all = left[0];
  for (double& share : left) share = all > 0 ? share / all : 0;
  return left;
}

std::vector<std::uint64_t> order_by_harm(const std::vector<double>& harm) {
  std::vector<std::uint64_t> order(harm.size());
  std::iota(order.begin(), order.end(), std::uint64_t{0});
  std::ranges::stable_sort(order, std::greater<>(), [&](std::uint64_t f) { return harm[f]; });
  return order;
}

std::uint64_t bits_within(const Budget& budget, const ProtectionCost& cost, std::uint64_t space,
                          std::uint64_t ranked, const std::vector<double>& left) {
  const auto all = static_cast<double>(space);
  double bits = budget.value;
  switch (budget.kind) {
    case Budget::Kind::bits:
      break;
    case Budget::Kind::share:
      bits = std::floor(budget.value * all * (1 + 1e-12));
      break;
    case Budget::Kind::area:
      bits = std::min(std::floor(budget.value * all / cost.per_bit() * (1 + 1e-12)), all);
      break;
    case Budget::Kind::residual: {
      if (left.empty()) {
        fail("protect",
             "--budget {} needs the harm of every bit: give the STORE of a campaign that ran them "
             "all",
             budget.text);
      }
      const auto enough = std::ranges::find_if(left, [&](double l) { return l <= budget.value; });
      if (enough == left.end()) {
        fail("protect",
             "--budget {}: with all {} ranked bits protected {:.3g} of the error is left",
             budget.text, ranked, left.back());
      }
      bits = static_cast<double>(enough - left.begin());
      break;
    }
  }
  if (bits > static_cast<double>(ranked)) {
    fail("protect", "--budget {} is {} bits; there are {} to choose from", budget.text, bits,
         ranked);
  }
  return static_cast<std::uint64_t>(bits);
}

double predict_trial(double unprotected, double unprotected_measured, double lambda) {
  if (!(unprotected > 0)) return 0;
  if (!(unprotected_measured > 0) || unprotected_measured >= unprotected) {
    return lambda * unprotected_measured / unprotected;
  }
  // mean_change rises with its ceiling, from 0 to λ.
  double low = 0, high = unprotected_measured;
  while (mean_change(unprotected, high) < unprotected_measured) high *= 2;
  for (int step = 0; step < 200; ++step) {
    const double middle = low + (high - low) / 2;
    (mean_change(unprotected, middle) < unprotected_measured ? low : high) = middle;
  }
  return mean_change(lambda, high);
}

}  // namespace flipscope
