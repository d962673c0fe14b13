#include "flipscope/report/judged_rankings.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <set>
#include <string_view>

#include "flipscope/campaign/oracle.h"
#include "flipscope/model/file_bytes.h"
#include "flipscope/numeric/error.h"

namespace flipscope {
namespace {

constexpr std::string_view kCurveHeader = "ranking,flips,found";
constexpr std::string_view kBest = "(best possible)";
constexpr std::size_t kPoints = 500;  ///< of a curve: more than a plot has pixels

std::vector<JudgedRanking::Point> thinned(const std::vector<double>& share) {
  const std::size_t last = share.size() - 1;
  std::set<std::size_t> flips;  // Half of the points evenly, half by equal factors.
  for (std::size_t p = 0; p <= kPoints / 2; ++p) flips.insert(last * p * 2 / kPoints);
  for (double f = 1; f < static_cast<double>(last); f *= 1.06) {
    flips.insert(static_cast<std::size_t>(f));
  }
  std::vector<JudgedRanking::Point> points;
  for (const std::size_t f : flips) points.push_back({f, share[f]});
  return points;
}

JudgedRanking judge(std::string name, const Oracle& oracle, std::vector<std::uint64_t> order) {
  const Trace trace = flip_each(std::move(order));
  return {std::move(name), evaluate(oracle, trace, {1, 5, 20}),
          thinned(cumulative_share(oracle, trace))};
}

/// Curves that `evaluate --out` wrote. A name in quotes may hold commas: numbers are taken from the
/// line's end.
std::vector<JudgedRanking> read_curves(const std::string& file, std::string_view text) {
  std::vector<JudgedRanking> curves;
  std::size_t line_number = 0;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (++line_number == 1 || line.empty()) continue;
    const std::size_t second = line.rfind(',');
    const std::size_t first =
        second == std::string_view::npos || second == 0 ? second : line.rfind(',', second - 1);
    JudgedRanking::Point point;
    const auto number = [&](std::string_view digits, auto& value) {
      const auto [at, code] = std::from_chars(digits.begin(), digits.end(), value);
      return code == std::errc() && at == digits.end();
    };
    if (first == std::string_view::npos ||
        !number(line.substr(first + 1, second - first - 1), point.flips) ||
        !number(line.substr(second + 1), point.found)) {
      fail("report", "{}:{}: a line of curves is ranking,flips,found", file, line_number);
    }
    std::string name(line.substr(0, first));
    if (name.size() > 1 && name.front() == '"') name = name.substr(1, name.size() - 2);
    if (curves.empty() || curves.back().name != name) curves.push_back({name, {}, {}});
    curves.back().curve.push_back(point);
  }
  return curves;
}

}  // namespace

std::vector<JudgedRanking> judge_rankings(const std::string& store,
                                          const std::vector<std::string>& files) {
  const Oracle oracle = read_oracle(store, Sensitive::worse);
  std::vector<JudgedRanking> rankings;
  for (const std::string& file : files) {
    const std::string text = read_file_bytes(file);
    if (text.starts_with(kCurveHeader)) {
      for (JudgedRanking& curve : read_curves(file, text)) {
        if (curve.name != kBest) rankings.push_back(std::move(curve));
      }
    } else {
      rankings.push_back(
          judge(std::filesystem::path(file).stem().string(), oracle, read_order(file, oracle)));
    }
  }
  rankings.push_back(judge(std::string(kBest), oracle, best_order(oracle)));
  return rankings;
}

}  // namespace flipscope
