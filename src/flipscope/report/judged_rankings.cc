#include "flipscope/report/judged_rankings.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <numeric>
#include <set>

#include "flipscope/campaign/oracle.h"
#include "flipscope/numeric/error.h"
#include "flipscope/report/csv_table.h"

namespace flipscope {
namespace {

constexpr const char* kBest = "(best possible)";
constexpr std::size_t kCurvePoints = 500;  ///< of a curve: more than a plot has pixels

/// Half of the points evenly, half by equal factors.
std::vector<JudgedRanking::Point> thinned(const std::vector<double>& share) {
  const std::size_t last = share.size() - 1;
  std::set<std::size_t> flips;
  for (std::size_t p = 0; p <= kCurvePoints / 2; ++p) flips.insert(last * p * 2 / kCurvePoints);
  for (double f = 1; f < static_cast<double>(last); f *= 1.06) {
    flips.insert(static_cast<std::size_t>(f));
  }
  std::vector<JudgedRanking::Point> points;
  for (const std::size_t f : flips) points.push_back({f, share[f]});
  return points;
}

JudgedRanking judge(std::string name, const Oracle& oracle,
                    const std::vector<std::uint64_t>& order) {
  std::vector<double> percents(100);
  std::iota(percents.begin(), percents.end(), 1.0);
  const Trace trace = flip_each(order);
  Evaluation evaluation = evaluate(oracle, trace, percents);
  std::vector<Reach> top = evaluation.reach;
  return {std::move(name), std::move(evaluation), thinned(cumulative_share(oracle, trace)),
          std::move(top)};
}

/// `evaluate` calls rankings by their files.
std::string short_name(const std::string& name) {
  return std::filesystem::path(name).extension() == ".csv"
             ? std::filesystem::path(name).stem().string()
             : name;
}

/// Rankings by name, in the order in which files name them; what is judged here replaces what files
/// say of the same name.
class Gathered {
 public:
  void add(JudgedRanking judged) {
    JudgedRanking& ranking = named(judged.name);
    ranking = std::move(judged);
  }

  /// Those of `evaluate --out`.
  void read_curves(const std::string& file) {
    read_table(file, [&](const CsvRow& row) {
      JudgedRanking& ranking = named(short_name(row.text("ranking")));
      if (ranking.evaluation) return;
      ranking.curve.push_back(
          {static_cast<std::uint64_t>(row.integer("flips")), row.number("found")});
    });
  }

  /// Those of `evaluate --out-top`.
  void read_tops(const std::string& file) {
    read_table(file, [&](const CsvRow& row) {
      JudgedRanking& ranking = named(short_name(row.text("ranking")));
      if (ranking.evaluation) return;
      Reach reach{row.number("percent"), static_cast<std::uint64_t>(row.integer("bits")), {}};
      if (!row.text("flips").empty())
        reach.flips = static_cast<std::uint64_t>(row.integer("flips"));
      ranking.top.push_back(reach);
    });
  }

  std::vector<JudgedRanking> take() && { return std::move(rankings_); }

 private:
  JudgedRanking& named(const std::string& name) {
    const auto [entry, is_new] = number_.try_emplace(name, rankings_.size());
    if (is_new) rankings_.push_back({name, {}, {}, {}});
    return rankings_[entry->second];
  }

  std::vector<JudgedRanking> rankings_;
  std::map<std::string, std::size_t> number_;
};

}  // namespace

std::vector<JudgedRanking> judge_rankings(const std::string& store,
                                          const std::vector<std::string>& files) {
  const Oracle oracle = read_oracle(store, Sensitive::worse);
  Gathered gathered;
  for (const std::string& file : files) {
    const std::vector<std::string> columns = table_columns(file);
    if (std::ranges::count(columns, "found") > 0) {
      gathered.read_curves(file);
    } else if (std::ranges::count(columns, "percent") > 0) {
      gathered.read_tops(file);
    } else {
      gathered.add(judge(short_name(file), oracle, read_order(file, oracle)));
    }
  }
  gathered.add(judge(kBest, oracle, best_order(oracle)));
  return std::move(gathered).take();
}

}  // namespace flipscope
