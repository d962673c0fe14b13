// flipscope evaluate: rankings against an exhaustive campaign.
#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "flipscope/campaign/oracle.h"
#include "flipscope/campaign/output_file.h"
#include "flipscope/fault/fault_list.h"
#include "flipscope/numeric/error.h"
#include "json.h"
#include "terminal.h"
#include "verbs.h"

namespace flipscope::cli {

namespace {

constexpr const char* kBest = "(best possible)";

struct Judged {
  std::string name;
  std::vector<std::uint64_t> order;
  Evaluation evaluation;
  Interval gain;  ///< of area over the first ranking
};

struct Share {
  std::uint64_t bits = 0, sensitive = 0;
  double of_bits() const {
    return bits == 0 ? 0 : static_cast<double>(sensitive) / static_cast<double>(bits);
  }
};

/// Shares of sensitive bits, by a key of the fault's target and bit.
template <typename Key, typename F>
std::map<Key, Share> shares(const Oracle& oracle, F key_of) {
  std::map<Key, Share> result;
  for (std::uint64_t k = 0; k < oracle.space.size(); ++k) {
    const FaultSite site = oracle.space.site(k);
    Share& share =
        result[key_of(oracle.space.targets()[static_cast<std::size_t>(site.target)], site)];
    ++share.bits;
    share.sensitive += static_cast<std::uint64_t>(oracle.sensitive[k]);
  }
  return result;
}

std::map<int, Share> shares_by_position(const Oracle& oracle) {
  return shares<int>(oracle, [](const FaultTarget& target, const FaultSite& site) {
    return target.encoding.format.bits - 1 - site.bit;
  });
}

std::map<std::string, Share> shares_by_layer(const Oracle& oracle) {
  return shares<std::string>(
      oracle, [](const FaultTarget& target, const FaultSite&) { return target.layer; });
}

std::string flips_text(const std::optional<std::uint64_t>& flips) {
  return flips ? grouped(*flips) : "never";
}

std::string correlation_text(double value) {
  return std::isnan(value) ? "" : fmt::format("{:.3f}", value);
}

/// share of Σ|change| found after so many flips, at most 1,001 points of each ranking.
void write_curves(const Oracle& oracle, const std::vector<Judged>& judged, const std::string& out) {
  constexpr std::size_t kPoints = 1000;
  OutputFile file(out);
  file.write("ranking,flips,found\n");
  for (const Judged& ranking : judged) {
    const std::vector<double> share = cumulative_share(oracle, ranking.order);
    const std::size_t last = share.size() - 1, points = std::min(kPoints, last);
    for (std::size_t p = 0; p <= points; ++p) {
      const std::size_t flips = points == 0 ? 0 : last * p / points;
      file.write(fmt::format("{},{},{}\n", csv_field(ranking.name), flips, share[flips]));
    }
  }
  file.finish();
}

Json judged_json(const Judged& judged) {
  const Evaluation& e = judged.evaluation;
  Json::Array reach;
  for (const Reach& r : e.reach) {
    reach.push_back(
        Json::Object{{"percent", r.percent}, {"bits", r.bits}, {"flips", Json(r.flips)}});
  }
  return Json::Object{
      {"ranking", judged.name},  {"bits", e.ranked},
      {"spearman", e.spearman},  {"spearman_from_msb", Json(e.spearman_at)},
      {"area", e.area},          {"gain", Json::Array{judged.gain.lower, judged.gain.upper}},
      {"top", std::move(reach)}, {"flips_to_90_percent_of_sensitive", Json(e.flips_to_sensitive)}};
}

template <typename Shares>
Json shares_json(const Shares& shares) {
  Json::Array rows;
  for (const auto& [key, share] : shares) {
    rows.push_back(Json::Object{{"of", key}, {"bits", share.bits}, {"sensitive", share.sensitive}});
  }
  return rows;
}

std::string json_text(const Options& options, const Oracle& oracle,
                      const std::vector<Judged>& judged) {
  Json::Array rankings;
  for (const Judged& ranking : judged) rankings.push_back(judged_json(ranking));
  return text(Json::Object{{"store", options.store},
                           {"sensitive", options.sensitive},
                           {"by_position_from_msb", shares_json(shares_by_position(oracle))},
                           {"by_layer", shares_json(shares_by_layer(oracle))},
                           {"rankings", std::move(rankings)},
                           {"seed", options.campaign.seed}});
}

std::string tables(const Options& options, const Oracle& oracle,
                   const std::vector<Judged>& judged) {
  const auto sensitive = static_cast<std::uint64_t>(std::ranges::count(oracle.sensitive, char{1}));
  std::string all = fmt::format(
      "{}: {} bits, {} of them sensitive (score {})\n\n", options.store,
      grouped(oracle.space.size()),
      percent(static_cast<double>(sensitive) / static_cast<double>(oracle.space.size())),
      options.sensitive);

  Table by_layer({"layer", "bits", "sensitive"}, "lrr");
  for (const auto& [layer, share] : shares_by_layer(oracle)) {
    by_layer.row({layer, grouped(share.bits), percent(share.of_bits())});
  }
  std::vector<std::string> header{"from msb", "bits", "sensitive"};
  for (const Judged& ranking : judged) header.push_back("rho " + ranking.name);
  Table by_position(header, "rrr" + std::string(judged.size(), 'r'));
  for (const auto& [position, share] : shares_by_position(oracle)) {
    std::vector<std::string> row{std::to_string(position), grouped(share.bits),
                                 percent(share.of_bits())};
    for (const Judged& ranking : judged) {
      const std::vector<double>& rho = ranking.evaluation.spearman_at;
      const auto at = static_cast<std::size_t>(position);
      row.push_back(at < rho.size() ? correlation_text(rho[at]) : "");
    }
    by_position.row(row);
  }
  Table rankings(
      {"ranking", "bits", "rho", "area", "gain in area", "top 1%", "5%", "20%", "90% of sensitive"},
      "lrrrrrrrr");
  for (const Judged& ranking : judged) {
    const Evaluation& e = ranking.evaluation;
    const auto reach = [&](double share) {
      const auto found = std::ranges::find(e.reach, share, &Reach::percent);
      return flips_text(found->flips);
    };
    rankings.row({ranking.name, grouped(e.ranked), correlation_text(e.spearman),
                  fmt::format("{:.4f}", e.area),
                  &ranking == &judged.front()
                      ? ""
                      : fmt::format("{:+.4f} to {:+.4f}", ranking.gain.lower, ranking.gain.upper),
                  reach(1), reach(5), reach(20), flips_text(e.flips_to_sensitive)});
  }
  return all + by_layer.text() + "\n" + by_position.text() + "\n" + rankings.text() +
         "\nrho: Spearman's, of order and |change of score|. area: mean over flips of the share of "
         "all change\nfound by then; its gain is over the first ranking, with a 95% bootstrap "
         "interval over words. Then: flips\nuntil all of the top percentiles, and 90% of the "
         "sensitive bits, are found.\n";
}

}  // namespace

void describe_evaluate(Command& command, Options& options) {
  command.heading("Arguments");
  command.argument("STORE", options.store,
                   "A campaign that ran every single-bit fault of its space.");
  command.heading("Judgement");
  command.option("ranking", "FILE,...", options.rankings,
                 "Rankings or fault lists; gains are over the first.");
  command.option(
      "sensitive", "worse|different",
      [&](const std::string& text) {
        parse_sensitive(text);
        options.sensitive = text;
      },
      "A bit is sensitive if its score is worse than the golden one (default), or different.");
  command.option("out", "FILE.csv", options.out,
                 "The curves: share of all change of score that is found, against flips.");
  describe_common(command, options);
  command.example("evaluate run.db --ranking hessian.csv,flip.csv --out curves.csv");
}

int evaluate(const Options& options) {
  const Oracle oracle = read_oracle(options.store, parse_sensitive(options.sensitive));
  std::vector<double> percents(100);
  std::iota(percents.begin(), percents.end(), 1.0);
  std::vector<Judged> judged;
  const auto judge = [&](const std::string& name, std::vector<std::uint64_t> order) {
    Judged made{name, std::move(order), {}, {}};
    made.evaluation = flipscope::evaluate(oracle, made.order, percents);
    if (!judged.empty()) {
      made.gain = bootstrap_gain(oracle, made.order, judged.front().order, options.campaign.seed);
    }
    judged.push_back(std::move(made));
  };
  for (const std::string& file : options.rankings) judge(file, read_order(file, oracle));
  judge(kBest, best_order(oracle));
  if (!options.out.empty()) write_curves(oracle, judged, options.out);
  if (options.json) {
    print(json_text(options, oracle, judged));
  } else if (!options.quiet) {
    print(tables(options, oracle, judged));
  }
  return 0;
}

}  // namespace flipscope::cli
